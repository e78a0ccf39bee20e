"""Rows of the table of faults: how many have tests, and how many of these passed."""

import pytest
from small_runs import again, another_user, corpus, finished, train, whole

__all__ = ["again", "another_user", "corpus", "finished", "train", "whole"]

# Rows of the table "Faults" in the docs.
ROWS = range(1, 59)


def rows_of(item: pytest.Item) -> list[int]:
    """The rows that a test stands for: `@pytest.mark.fault(4, 5)`."""
    return [row for mark in item.iter_markers("fault") for row in mark.args]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Notes the rows of a test in its reports; one that does not exist would count for nothing."""
    for item in items:
        rows = rows_of(item)
        if unknown := set(rows) - set(ROWS):
            raise pytest.UsageError(f"{item.nodeid} stands for rows {unknown} of 1 to {ROWS[-1]}.")
        item.user_properties += [("fault", row) for row in rows]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many rows held: all of their tests that ran passed, and at least one ran."""

    def rows(*kinds: str) -> set[int]:
        return {
            row
            for kind in kinds
            for report in terminalreporter.stats.get(kind, [])
            for name, row in getattr(report, "user_properties", [])
            if name == "fault"
        }

    failed = rows("failed", "error")
    held = rows("passed") - failed
    if held or failed:
        missing = sorted(set(ROWS) - held)
        terminalreporter.write_line(
            f"faults: {len(held)} of {len(ROWS)} rows hold"
            + (f"; without a passing test here: {missing}" if missing else "")
        )
