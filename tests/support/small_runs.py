"""Fixtures: a small text, and runs of a small model on it, in this process and in others."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_recipe import SMALL, TEXT

from recipes.commands import main

Run = Callable[..., int]


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
