"""A save that fails beside training is reported, whatever comes next."""

import time
from pathlib import Path

import pytest
from recipes_tiny import make_state

from recipes.errors import RecipeError
from recipes.trainer.background import BackgroundSaves
from recipes.trainer.checkpoints import Checkpoints

pytestmark = pytest.mark.fault(15)


@pytest.fixture
def blocked(tmp_path: Path) -> Checkpoints:
    """Checkpoints in a folder that cannot be made."""
    folder = tmp_path / "checkpoints"
    folder.write_text("a file where the folder should be")
    return Checkpoints(folder)


def train(checkpoints: Checkpoints, ask: str) -> None:
    state = make_state()
    with BackgroundSaves(checkpoints) as saves:
        saves.save(state, {})
        if ask == "training fails":
            raise KeyError("training")
        if ask == "save":
            saves.save(state, {})
        deadline = time.monotonic() + 60
        while ask == "check" and time.monotonic() < deadline:  # until the thread has failed
            saves.check()


@pytest.mark.parametrize("ask", ["check", "save", "exit"])
def test_the_next_call_reports_it(blocked: Checkpoints, ask: str) -> None:
    with pytest.raises(RecipeError, match="checkpoint of step 0 could not be written"):
        train(blocked, ask)


def test_another_error_does_not_hide_it(blocked: Checkpoints, caplog) -> None:
    with pytest.raises(KeyError):
        train(blocked, "training fails")
    assert "checkpoint of step 0 could not be written" in caplog.text
