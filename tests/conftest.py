"""Settings that every test runs under."""

import collections
import gc
import os
from pathlib import Path
from typing import Any

import chex
import jax
import pytest
from dealing import LONG, Dealing
from laws.default_run import chosen

from _build.compiler import (
    NOT_KEPT,
    forget_programs_if_many,
    kept_programs,
    kept_programs_variables,
    quick_flags,
    quick_traces,
)

# Two arrays of different rank never combine in silence: a missing axis is an error.
jax.config.update("jax_numpy_rank_promotion", "raise")

# The suite compiles hundreds of tiny programs and runs each once: leave out what only speed needs.
jax.config.update("jax_disable_most_optimizations", True)

quick_traces()

# Workers, runs and pages compile the same programs: what one has compiled the next one loads.
for name, value in kept_programs().items():
    jax.config.update(name, value)
os.environ.update(kept_programs_variables())  # for processes that tests start


def pytest_configure(config: pytest.Config) -> None:
    """Sets the flags before JAX reads them, for this process and those that it starts."""
    for start in NOT_KEPT:
        config.addinivalue_line("filterwarnings", f"ignore:{start}")
    os.environ["XLA_FLAGS"] = quick_flags()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        forget_programs_if_many()


@pytest.fixture(autouse=True)
def _count_traces_anew() -> None:
    """`chex.assert_max_traces` counts by name: tests that share a helper must not add up."""
    chex.clear_trace_counter()


@pytest.fixture(autouse=True, scope="module")
def _let_programs_go() -> None:
    """Every compiled program holds maps of memory; past Linux's 65,530 a process crashes."""
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_text().count("\n") > 30_000:
        jax.clear_caches()
        gc.collect()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Dealing:
    """Gives a worker whole files, and whole cases of the laws: what compiled once serves again."""
    return Dealing(config, log)


@pytest.hookimpl(tryfirst=True)  # before tests are left out by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is slow of the laws, and what others stand for; long single tests begin first."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
    laws = collections.defaultdict(list)
    for item in items:
        case = item.callspec.params.get("case") if hasattr(item, "callspec") else None
        if hasattr(case, "heavy"):
            laws[item.originalname].append((case, item))
    for law, tests in laws.items():
        from laws.cases import STANDING

        named = chosen(law, {case.name: case for case, _ in tests}.values())
        for case, item in tests:
            if case.name not in named:
                item.add_marker(pytest.mark.slow)
                if case.name not in STANDING:
                    item.add_marker(pytest.mark.further)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many tests of (block x law) were run."""
    stats = terminalreporter.stats

    def tests(*kinds: str) -> list[str]:
        return [report.nodeid for kind in kinds for report in stats.get(kind, [])]

    from laws.cases import CASES
    from laws.count import summary

    names = [case.name for case in CASES]
    if line := summary(tests("passed"), tests("failed", "error"), names):
        terminalreporter.write_line(line)
