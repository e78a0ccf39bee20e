"""Checkpoints written beside training are those that training would have waited for."""

import os
import sys
import threading
from pathlib import Path
from typing import Any

import chex
import jax
import pytest
from recipes_tiny import SETTINGS, Batches, loss, make_state

from recipes.trainer.background import BackgroundSaves
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.loop import Trainer
from recipes.trainer.state import TrainState


class Slow(Checkpoints):
    """Writes when it is told to, and in a thread that is noted."""

    def __init__(self, folder: Path):
        super().__init__(folder, keep=9)
        self.may_write = threading.Event()

    def save(self, state: TrainState, record: dict[str, Any], *, metrics: bytes = b"") -> Path:
        assert self.may_write.wait(60)
        return super().save(state, record, metrics=metrics)


def test_training_goes_on_and_the_state_of_the_save_is_kept(tmp_path: Path) -> None:
    at_once, slow = Checkpoints(tmp_path / "at_once", keep=9), Slow(tmp_path / "slow")
    trainer = Trainer(make_state(), loss=loss, settings=SETTINGS)
    with BackgroundSaves(slow) as saves:
        for row in trainer.train(Batches()):
            if row["step"] == 10:
                at_once.save(trainer.state, {})
                saves.save(trainer.state, {})
            assert slow.steps() == []
        slow.may_write.set()
    assert slow.steps() == [10]
    one, other = (c.restore(make_state(seed=3)).state for c in (at_once, slow))
    chex.assert_trees_all_equal(one.params, other.params)
    chex.assert_trees_all_equal(one.opt_state, other.opt_state)
    assert (jax.random.key_data(one.key) == jax.random.key_data(other.key)).all()
    assert not any(key.name.startswith("save") for key in threading.enumerate())


def test_what_follows_a_save_comes_when_it_is_complete(tmp_path: Path) -> None:
    slow, called = Slow(tmp_path), []
    with BackgroundSaves(slow) as saves:
        saves.save(make_state(), {}, then=lambda: called.append(slow.steps()))
        saves.check()
        assert called == []
        slow.may_write.set()
        saves.wait()
        assert called == [[0]]
    assert called == [[0]]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_a_save_leaves_the_processor_to_the_steps(tmp_path: Path) -> None:
    class Noted(Checkpoints):
        def save(self, state: TrainState, record: dict[str, Any], *, metrics: bytes = b"") -> Path:
            of_a_save.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return super().save(state, record, metrics=metrics)

    of_a_save = list[int]()
    of_steps = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    with BackgroundSaves(Noted(tmp_path)) as saves:
        saves.save(make_state(), {})
    assert of_a_save == [max(10, of_steps)]  # whoever runs the tests may have made them less urgent
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == of_steps


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_a_save_of_a_program_that_is_less_urgent_still_asks_for_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()
    monkeypatch.setattr(os, "getpriority", lambda *_: 15)
    monkeypatch.setattr(os, "setpriority", lambda *given: asked.append(given[-1]))
    with BackgroundSaves(Checkpoints(tmp_path, keep=9)) as saves:
        saves.save(make_state(), {})
    assert asked == [15]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_a_save_that_may_not_change_its_priority_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", refused)
    with BackgroundSaves(checkpoints := Checkpoints(tmp_path, keep=9)) as saves:
        saves.save(make_state(), {})
    assert checkpoints.steps() == [0]
