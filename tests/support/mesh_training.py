"""A tiny GPT that is trained on a mesh, for processes of several devices that tests start."""

import functools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from recipes.config import GPTConfig, Recipe
from recipes.data.batches import training_batches
from recipes.experts import balance
from recipes.nanogpt import build_gpt, initial_state, next_token_loss
from recipes.trainer.loop import Trainer
from recipes.trainer.settings import OptimizerSettings, TrainerSettings
from recipes.trainer.sharding import make_mesh, state_shardings
from recipes.trainer.state import TrainState

# Of simulated devices; flags of the compiler stay those of the suite.
EIGHT = {"JAX_NUM_CPU_DEVICES": "8", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
MODEL = GPTConfig(
    num_layers=1, num_heads=4, features=32, context=16, vocab_size=64, dropout_rate=0.1
)
RECIPE = Recipe(
    batch_size=16,
    # With this seed no token's second and third expert are closer than 1e-4 in logits. With 1337
    # two are equal to the last digit, and the order of a sum decides between them.
    seed=5,
    model=MODEL,
    optimizer=OptimizerSettings(warmup_steps=2),
    trainer=TrainerSettings(max_steps=4, log_every=2, eval_every=4),
)


def start(
    mesh: str | None, optimizer: OptimizerSettings = RECIPE.optimizer, **changes: Any
) -> TrainState:
    """The state before the first step, on a mesh; changes are of the model."""
    recipe = replace(RECIPE, optimizer=optimizer, model=replace(MODEL, **changes))
    return initial_state(recipe, build_gpt(recipe.model), mesh=make_mesh(mesh))


def moved(mesh: str, **changes: Any) -> TrainState:
    """The same, made on one device and laid onto the mesh: nothing is compiled for it anew."""
    state, devices = _copied(**changes), make_mesh(mesh)
    assert devices is not None
    return jax.device_put(state, state_shardings(state, devices))


@functools.cache
def _on_one_device(**changes: Any) -> TrainState:
    return start(None, **changes)


def _copied(**changes: Any) -> TrainState:
    """A copy, as training takes the buffers of the state that it is given."""
    return jax.tree.map(jnp.copy, _on_one_device(**changes))


def losses(state: TrainState, steps: int = 4, accumulate: int = 1) -> tuple[list[float], Trainer]:
    """Train to a step on tokens that are the same everywhere; the losses of all rows."""
    batches = training_batches(
        np.random.default_rng(0).integers(0, 64, 400), context=16, batch_size=16, seed=0
    )
    for _ in range(int(state.step)):
        next(batches)
    settings = replace(RECIPE.trainer, max_steps=steps, log_every=1, accumulate=accumulate)
    trainer = Trainer(state, loss=balance(next_token_loss), settings=settings)
    return [row["train_loss"] for row in trainer.train(batches)], trainer


@functools.cache
def _alone(accumulate: int, **changes: Any) -> list[float]:
    return losses(_copied(**changes), accumulate=accumulate)[0]


def bytes_of(tree: Any, device: int = 0) -> int:
    """Bytes that one device holds."""
    leaves: Iterable[jax.Array] = jax.tree.leaves(tree)
    return sum(leaf.addressable_shards[device].data.nbytes for leaf in leaves)


def compared(mesh: str, accumulate: int = 1, **changes: Any) -> dict[str, Any]:
    """Losses on one device and on a mesh, and what share of the state one device of it holds."""
    many, trainer = losses(moved(mesh, **changes), accumulate=accumulate)
    whole, split = _on_one_device(**changes), trainer.state
    pairs = {"params": (split.params, whole.params), "slots": (split.opt_state, whole.opt_state)}
    return {
        "one": _alone(accumulate, **changes),
        "many": many,
        **{name: bytes_of(part) / bytes_of(all_) for name, (part, all_) in pairs.items()},
    }
