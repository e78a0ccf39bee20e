"""Meshes that do not fit the batch, and runs that go on with other devices."""

import dataclasses
from pathlib import Path

import pytest
from mesh_training import EIGHT
from processes import run_python

from recipes.commands import main
from recipes.config import Recipe
from recipes.errors import RecipeError
from recipes.trainer.settings import TrainerSettings


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "sizes", "fewer"),
    [
        (12, 1, "8 or 16", None),
        (3, 1, "8", None),
        (24, 2, "16 or 32", 1),
        (8, 4, "32", 1),
        (480, 40, "320 or 640", 30),
    ],
)
@pytest.mark.fault(23)
def test_a_batch_that_the_mesh_does_not_divide_is_refused_with_sizes_that_work(
    batch_size: int, accumulate: int, sizes: str, fewer: int | None
) -> None:
    trainer = TrainerSettings(mesh="data=2,fsdp=4,tensor=2", accumulate=accumulate)
    with pytest.raises(RecipeError, match=f"batch_size={batch_size} .*8 parts") as caught:
        Recipe(batch_size=batch_size, trainer=trainer)
    parts = f", or accumulate={fewer}" if fewer else ""
    assert caught.value.fix == f"Use --batch-size {sizes}{parts}."
    for size in sizes.split(" or "):
        Recipe(batch_size=int(size), trainer=trainer)
    if fewer:
        Recipe(batch_size=batch_size, trainer=dataclasses.replace(trainer, accumulate=fewer))


@pytest.mark.fault(23)
def test_the_command_refuses_it_before_there_is_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--batch-size", "6", "--mesh", "fsdp=4", "--run-dir", str(tmp_path / "run")]
    assert main(["train", "quick", *options]) == 2
    assert "Use --batch-size 4 or 8." in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


MOVED = """
import sys
import jax, numpy as np
from mesh_training import losses, start
from recipes.trainer.checkpoints import Checkpoints

def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, *(
        jax.device_get((s.params, s.opt_state, s.step, jax.random.key_data(s.key))) for s in (a, b)
    ))

whole, _ = losses(start(None), steps=6)
found, state = [], start(None)
for number, mesh in enumerate([None, "data=2,fsdp=2,tensor=2", "fsdp=2"]):
    rows, trainer = losses(state, steps=2 * number + 2)
    found += rows
    checkpoints = Checkpoints(f"{sys.argv[1]}/{number}")
    checkpoints.save(trainer.state, {})
    template = start(("data=2,fsdp=2,tensor=2", "fsdp=2", None)[number])
    state = checkpoints.restore(template).state
    same(trainer.state, state)
    where = [jax.tree.map(lambda leaf: leaf.sharding, s.params) for s in (state, template)]
    assert where[0] == where[1]
np.testing.assert_allclose(found, whole, rtol=0, atol=1e-4)
"""


@pytest.mark.slow
@pytest.mark.further  # two processes that go on as one, on a smaller mesh
@pytest.mark.fault(24)
def test_a_run_goes_on_from_one_device_to_eight_to_two(tmp_path: Path) -> None:
    run_python(MOVED, tmp_path, **EIGHT)
