"""The count of (block x law) tests that a run ends with."""

from laws.count import counted, summary, table

PASSED = [
    "tests/laws/test_sequences.py::test_padding[block-left]",
    "tests/laws/test_sequences.py::test_padding[left-block]",
    "tests/laws/test_kernels.py::test_kernel[chunked-sinks, all at once]",
    "tests/laws/test_values.py::test_without_a_case",
    "tests/blocks/test_block.py::test_other[block]",
]
FAILED = ["tests/laws/test_values.py::test_vmap[linear]"]


def test_tests_are_counted_by_case_and_law() -> None:
    counts = counted([*PASSED, *FAILED], ["block", "linear"])
    assert counts == {("block", "padding"): 2, ("chunked", "kernel"): 1, ("linear", "vmap"): 1}


def test_the_summary_counts_what_was_run_and_what_passed() -> None:
    line = summary(PASSED, FAILED, ["block", "linear"])
    assert line == (
        "laws: 2 cases of blocks and 1 others (kernels, families) x 3 laws = 4 tests, 3 passed"
    )
    assert summary([], [], ["block"]) is None


def test_the_table_has_a_row_for_each_case() -> None:
    lines = table({("block", "vmap"): 1, ("linear", "jit_equals_eager"): 2}).splitlines()
    assert lines[:2] == ["1. vmap", "2. jit equals eager"]
    assert lines[3:] == [
        "| case | 1 | 2 |",
        "|---|---|---|",
        "| block | 1 |  |",
        "| linear |  | 2 |",
    ]
