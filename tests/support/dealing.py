"""How tests are dealt to the workers of pytest-xdist: what compiles the same goes to one."""

from xdist.scheduler import LoadScopeScheduling

# Where a parameter decides what is compiled, by the start of the tests' paths: the case of a law, a
# row of published models, a page. Other files are dealt out whole.
BY_PARAMETER = (
    "tests/laws/",
    "tests/recipes/architectures/test_golden.py",
    "tests/recipes/architectures/test_live.py",
    "tests/recipes/architectures/test_random.py",
    "tests/browser/test_pages.py",
)
# Single tests that take long, by file: they begin first, so that none runs alone at the end.
LONG = (
    *("test_killed", "test_sharding", "test_processes", "test_small_recipes", "test_run_files"),
    *("test_packaging", "test_plan", "test_widths", "test_devices", "test_reading", "test_paths"),
)


def group_of(test: str) -> str:
    """The group of a test, of which one worker runs all: its file, or its first parameter.

    It is read from the test's address, as that is what the scheduler is given.
    """
    path, _, name = test.partition("::")
    _, _, parameters = name.partition("[")
    if parameters and path.startswith(BY_PARAMETER):
        return parameters.removesuffix("]").partition("-")[0]
    return path


class Dealing(LoadScopeScheduling):
    """Deals out groups in the order in which they were collected."""

    def schedule(self) -> None:
        """Not those of many tests first."""
        self.config.option.loadscopereorder = False
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
