"""A tiny training in a folder: does this machine compute, write, and resume to the bit?"""

from __future__ import annotations

import platform
import time
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np

from recipes.config import GPTConfig, Recipe
from recipes.data.batches import TrainingBatches, training_batches
from recipes.errors import RecipeError
from recipes.nanogpt import build_gpt, initial_state, next_token_loss
from recipes.runs.record import PACKAGES
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.digests import leaf_digests
from recipes.trainer.loop import Trainer
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.sharding import make_mesh
from recipes.trainer.state import TrainState, arrays_of

# A device of NVIDIA, which JAX needs a plugin for.
NVIDIA = Path("/dev/nvidia0")
STEPS = 4


def versions() -> str:
    """Versions of Python and of the packages that results depend on."""
    packages = (f"{name} {version(name)}" for name in PACKAGES)
    return ", ".join([f"Python {platform.python_version()}", *packages])


def devices() -> str:
    """The devices that JAX sees, each of which has added two numbers.

    Raises:
        RecipeError: A GPU that JAX does not see, or a device that computes something else.
    """
    found = jax.devices()
    if NVIDIA.exists() and found[0].platform == "cpu":
        raise RecipeError(
            "This machine has a GPU of NVIDIA, and JAX sees CPUs alone.",
            'Run pip install "jax[cuda13]", and look at the warning that JAX prints.',
        )
    for device in jax.local_devices():
        if int(jax.device_put(np.int32(1), device) + 1) != 2:
            raise RecipeError(f"The device {device} does not compute 1 + 1 = 2.", "Replace it.")
    kinds = dict.fromkeys(device.device_kind for device in found)
    return f"{len(found)} x {', '.join(kinds)}"


class Trial:
    """A tiny training on all devices, which writes a checkpoint in a folder and resumes from it.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path):
        self._checkpoints = Checkpoints(folder)
        self._end: dict[str, str] = {}

    def write(self) -> str:
        """Train, and write a checkpoint halfway.

        Raises:
            RecipeError: The write fails, or reads back as something else.
        """
        state, batches = _start()
        trainer = _trainer(state)
        rows = trainer.train(batches)
        next(rows)
        started = time.perf_counter()
        place = self._checkpoints.save(trainer.state, {"position": trainer.position})
        seconds = time.perf_counter() - started
        next(rows)
        self._end = leaf_digests(arrays_of(trainer.state))
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        return f"a checkpoint of {size / 1024:.0f} KiB in {seconds:.1f} s, read back the same"

    def resume(self) -> str:
        """Train from what `write` has written, and compare with the training that went on.

        Raises:
            RecipeError: The two differ.
        """
        template, batches = _start()
        saved = self._checkpoints.restore(template)
        batches.set_state(saved.record["position"])
        trainer = _trainer(saved.state)
        for _ in trainer.train(batches):
            pass
        found = leaf_digests(arrays_of(trainer.state))
        if differing := [name for name in found if found[name] != self._end[name]]:
            raise RecipeError(
                f"A resumed training ends with another {differing[0]}.",
                "Set XLA_FLAGS=--xla_gpu_deterministic_ops=true on a GPU, and try again.",
            )
        return f"{STEPS // 2} steps from the checkpoint equal those that never stopped, to the bit"


def _start() -> tuple[TrainState, TrainingBatches]:
    """A state before the first step, and batches from their start."""
    count = jax.device_count()
    mesh = f"data={count}" if count > 1 else None
    model = GPTConfig(num_layers=1, num_heads=1, features=8, context=8, vocab_size=16)
    settings = TrainerSettings(max_steps=STEPS, log_every=STEPS // 2, mesh=mesh)
    recipe = Recipe(model=model, batch_size=count, trainer=settings)
    state = initial_state(recipe, build_gpt(recipe.model), mesh=make_mesh(mesh))
    return state, training_batches(np.arange(90) % 16, context=8, batch_size=count, seed=0)


def _trainer(state: TrainState) -> Trainer:
    settings = TrainerSettings(max_steps=STEPS, log_every=STEPS // 2)
    return Trainer(state, loss=next_token_loss, settings=settings)
