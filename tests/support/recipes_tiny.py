"""A regression with dropout, on numbered batches: all that the trainer's tests train."""

from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.optimizers import build_optimizer
from recipes.trainer.settings import OptimizerSettings, TrainerSettings
from recipes.trainer.state import TrainState

SETTINGS = TrainerSettings(max_steps=23, log_every=5, eval_every=10)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array, deterministic: bool = True) -> jax.Array:
        x = nn.Dropout(0.3)(nn.relu(nn.Dense(16)(x)), deterministic)
        return nn.Dense(1)(x)


NET = Net()


def loss(apply_fn, params, batch, key):
    rngs = None if key is None else {"dropout": key}
    out = apply_fn({"params": params}, batch["x"], key is None, rngs=rngs)
    return jnp.square(out - batch["y"]).mean(), {"weight": jnp.float32(len(batch["x"]))}


def noiseless(apply_fn, params, batch, key):
    return loss(apply_fn, params, batch, None)


class Batches:
    """Batch i is drawn from seed i; optionally some are poisoned."""

    def __init__(self, position: int = 0, bad: tuple[int, ...] = ()):
        self.position = position
        self.bad = bad

    def __next__(self) -> dict[str, np.ndarray]:
        self.position += 1
        draw = np.random.default_rng(self.position).normal
        x = draw(size=(8, 4)).astype(np.float32)
        y = x.sum(axis=1, keepdims=True)
        return {"x": x, "y": y * np.float32(np.nan if self.position in self.bad else 1.0)}

    def get_state(self) -> dict[str, int]:
        return {"position": self.position}


def make_state(seed: int = 0, **changes: object) -> TrainState:
    return TrainState.create(
        apply_fn=NET.apply,
        params=NET.init(jax.random.key(seed), jnp.zeros((1, 4)))["params"],
        tx=build_optimizer(OptimizerSettings(warmup_steps=5, **changes), SETTINGS.max_steps),
        key=jax.random.key(seed + 1),
    )


def saved(path: Path, losses: dict[int, float | None]) -> Checkpoints:
    """Checkpoints with these steps and validation losses."""
    checkpoints, state = Checkpoints(path), make_state()
    for step, value in losses.items():
        checkpoints.save(state.replace(step=jnp.int32(step)), {"val_loss": value})
    return checkpoints
