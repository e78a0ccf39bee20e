"""How tests are dealt to workers: those of one file, or of one case of the laws, go to one."""

from types import SimpleNamespace
from typing import Any

import pytest
from dealing import Dealing, group_of
from xdist.remote import Producer

TESTS = [
    "tests/blocks/test_a.py::test_one",
    "tests/blocks/test_b.py::test_one[1-2]",
    "tests/blocks/test_b.py::test_one[3-4]",
    "tests/laws/test_values.py::test_law[linear]",
    "tests/laws/test_values.py::test_law[stack]",
    "tests/laws/test_sequences.py::test_law[linear-left]",
    "src/blocks/linear.py::blocks.linear.Linear",
]


class Worker:
    """Notes which tests it is sent, by their numbers."""

    def __init__(self, name: str) -> None:
        self.gateway, self.sent, self.shutting_down = SimpleNamespace(id=name), [], False

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def dealt(tests: list[str]) -> list[list[str]]:
    """What two workers run that are equally fast."""
    config: Any = SimpleNamespace(option=SimpleNamespace(), getvalue=lambda name: ["popen"] * 2)
    dealing, ended = Dealing(config, Producer("quiet", enabled=False)), 0
    workers: list[Any] = [Worker("gw0"), Worker("gw1")]
    for worker in workers:
        dealing.add_node(worker)
        dealing.add_node_collection(worker, tests)
    dealing.schedule()
    while dealing.has_pending:
        for worker in workers:
            if ended < len(worker.sent):
                dealing.mark_test_complete(worker, worker.sent[ended])
        ended += 1
    return [[tests[index] for index in worker.sent] for worker in workers]


def test_each_group_is_one_worker_s_and_every_test_runs_once() -> None:
    first, second = dealt(TESTS)
    assert sorted(first + second) == sorted(TESTS)
    assert first
    assert second
    assert not {*map(group_of, first)} & {*map(group_of, second)}


def test_groups_begin_in_the_order_of_their_collection() -> None:
    first, second = dealt(TESTS)
    assert first[0] == TESTS[0]
    assert second[:2] == TESTS[1:3]


@pytest.mark.parametrize(
    ("test", "group"),
    [
        ("tests/blocks/test_a.py::test_one[x-y]", "tests/blocks/test_a.py"),
        ("tests/laws/test_values.py::test_law[linear]", "linear"),
        ("tests/laws/test_sequences.py::test_law[linear-(3, 1, 2)]", "linear"),
        ("tests/laws/test_count.py::test_words", "tests/laws/test_count.py"),
        ("tests/recipes/architectures/test_golden.py::test_outputs[gpt2]", "gpt2"),
        ("tests/browser/test_pages.py::test_a_page[blocks/index.html]", "blocks/index.html"),
        ("src/blocks/linear.py::blocks.linear.Linear", "src/blocks/linear.py"),
    ],
)
def test_a_group_is_a_file_or_a_case(test: str, group: str) -> None:
    assert group_of(test) == group
