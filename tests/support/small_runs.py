"""Fixtures: a small text, and runs of a small model on it, in this process and in others."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import chex
import pytest
from small_recipe import SMALL, TEXT

from recipes.commands import main
from recipes.config import Recipe
from recipes.nanogpt import build_gpt, initial_state
from recipes.runs.folder import RunFolder
from recipes.trainer.checkpoints import Checkpoints, Restored
from recipes.trainer.metrics import read_metrics

Run = Callable[..., int]
AnotherUser = Callable[[Path], contextlib.AbstractContextManager[None]]
NOBODY = 65534
SIXTY = ("--max-steps", "60", "--optimizer.decay-steps", "60")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A text file."""
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def train(tmp_path: Path, corpus: Path) -> Run:
    """Trains on the text file in a folder of that name; gives the exit code."""

    def run(name: str, *options: str) -> int:
        return main([*SMALL, "--data", str(corpus), "--run-dir", str(tmp_path / name), *options])

    return run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has ended; read it, do not write to it."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "text.txt").write_text(TEXT)
    run = folder / "run"
    arguments = [*SMALL, "--data", str(folder / "text.txt"), "--run-dir", str(run)]
    assert main([*arguments, "--max-steps", "10"]) == 0
    return run


@pytest.fixture
def another_user() -> AnotherUser:
    """Context in which this process is no superuser, whom no permission stops.

    It may enter the folders above a path, and owns nothing there.
    """

    @contextlib.contextmanager
    def become(path: Path) -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        # A worker's folders of tests lie four deep in the system's own.
        for folder in list(path.parents)[:4]:
            folder.chmod(folder.stat().st_mode | 0o111)
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    return become


# What a clock measures.
TIMED = ("seconds", "tokens_per_second", "mfu")


def rows(path: Path) -> list[dict[str, Any]]:
    """The metrics of a run without the clock's."""
    return [
        {name: value for name, value in row.items() if name not in TIMED}
        for row in read_metrics(path / "metrics.jsonl")
    ]


def last_checkpoint(path: Path) -> Restored:
    recipe = Recipe.from_json(RunFolder(path).read_config())
    template = initial_state(recipe, build_gpt(recipe.model))
    return Checkpoints(path / "checkpoints").restore(template)


def assert_same_course(path: Path, other: Path) -> None:
    """Metrics, parameters, optimiser, key and position in the data are equal, bit for bit."""
    assert rows(path) == rows(other)
    one, two = last_checkpoint(path), last_checkpoint(other)
    chex.assert_trees_all_equal(one.state.params, two.state.params)
    chex.assert_trees_all_equal(one.state.opt_state, two.state.opt_state)
    chex.assert_trees_all_equal(one.state.step, two.state.step)
    assert one.record["position"] == two.record["position"]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of sixty steps that was never stopped; its text lies beside it."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "text.txt").write_text(TEXT)
    arguments = ["--data", str(folder / "text.txt"), "--run-dir", str(folder / "run"), *SIXTY]
    assert main([*SMALL, *arguments]) == 0
    return folder / "run"


@pytest.fixture
def again(whole: Path, tmp_path: Path) -> Path:
    """A copy of the run of sixty steps."""
    return Path(shutil.copytree(whole, tmp_path / "again"))
