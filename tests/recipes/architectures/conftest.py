"""A table at the end: each row of published architectures with its largest difference."""

import pytest

LARGEST = "largest difference"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have recorded, whichever process ran them, in the order of the list."""
    found = [
        value
        for kind in ("passed", "failed")
        for report in terminalreporter.stats.get(kind, [])
        for name, value in getattr(report, "user_properties", ())
        if name == LARGEST
    ]
    if found:
        terminalreporter.section("largest difference from the reference, by row")
    for number, row, largest in sorted(map(tuple, found)):
        terminalreporter.write_line(f"{number:>3}  {row:<24}{largest:.1e}")
