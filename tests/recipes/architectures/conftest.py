"""Tables at the end: largest differences of rows and of drawn configurations."""

import pytest

LARGEST, DRAWN = "largest difference", "drawn"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have recorded, whichever process ran them."""
    if rows := recorded(terminalreporter, LARGEST):
        terminalreporter.section("largest difference from the reference, by row")
    for number, row, largest in rows:
        terminalreporter.write_line(f"{number:>3}  {row:<24}{largest:.1e}")
    if families := recorded(terminalreporter, DRAWN):
        terminalreporter.section("drawn configurations: compared, refused, largest difference")
    for family, compared, refused, largest in families:
        terminalreporter.write_line(f"{family:<24}{compared:>3}{refused:>4}  {largest:.1e}")


def recorded(reporter: pytest.TerminalReporter, name: str) -> list[tuple]:
    """Values that tests have recorded under a name, in order."""
    return sorted(
        tuple(value)
        for kind in ("passed", "failed")
        for report in reporter.stats.get(kind, [])
        for property_, value in getattr(report, "user_properties", ())
        if property_ == name
    )
