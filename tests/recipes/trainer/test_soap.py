"""SOAP beside the algorithm of its paper in float64, its symmetry, and its state."""

from pathlib import Path
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AbstractMesh, AxisType, PartitionSpec
from optax.contrib import MuonDimensionNumbers

from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.optimizers import build_optimizer
from recipes.trainer.settings import OptimizerSettings
from recipes.trainer.sharding import state_shardings
from recipes.trainer.soap import scale_by_soap
from recipes.trainer.state import TrainState
from recipes.trainer.step import train_step

STEPS, ROWS, COLUMNS = 9, 5, 4
B1, B2, EPSILON, EVERY = 0.9, 0.8, 1e-8, 3


def plain(params: Any) -> Any:
    return jax.tree.map(lambda _: MuonDimensionNumbers((0,), (1,)), params)


def gradients() -> np.ndarray:
    """A run of gradients that have something in common."""
    random = np.random.default_rng(0)
    return random.normal(size=(1, ROWS, COLUMNS)) + random.normal(size=(STEPS, ROWS, COLUMNS))


def updates_of(given: np.ndarray, matrices: Any = plain, **options: Any) -> np.ndarray:
    soap = scale_by_soap(matrices, b1=B1, b2=B2, epsilon=EPSILON, refresh_every=EVERY, **options)
    step = jax.jit(soap.update)
    state, moved = soap.init({"kernel": jnp.zeros(given.shape[1:])}), []
    for gradient in given:
        updates, state = step({"kernel": jnp.asarray(gradient, jnp.float32)}, state)
        moved.append(updates["kernel"])
    return np.stack(moved)


def paper(given: np.ndarray) -> np.ndarray:
    """Algorithm 3 of arXiv:2409.11321 with 4 in it, and the first step of the authors' code."""
    left, right = ((1.0 - B2) * each for each in (given[0] @ given[0].T, given[0].T @ given[0]))
    q_left, q_right = (np.linalg.eigh(each)[1][:, ::-1] for each in (left, right))
    mean, square, moved = np.zeros((ROWS, COLUMNS)), np.zeros((ROWS, COLUMNS)), [0.0 * given[0]]
    for t, gradient in enumerate(given[1:], start=1):
        rotated = q_left.T @ gradient @ q_right
        mean = B1 * mean + (1.0 - B1) * gradient
        square = B2 * square + (1.0 - B2) * rotated**2
        root = np.sqrt(square / (1.0 - B2**t)) + EPSILON
        moved.append(q_left @ (q_left.T @ mean @ q_right / (1.0 - B1**t) / root) @ q_right.T)
        left = B2 * left + (1.0 - B2) * gradient @ gradient.T
        right = B2 * right + (1.0 - B2) * gradient.T @ gradient
        if t % EVERY == 0:
            q_left, q_right = np.linalg.qr(left @ q_left)[0], np.linalg.qr(right @ q_right)[0]
    return np.stack(moved)


# The first gradient has rank 4, so that its left factor leaves one direction open, up to its sign.
def test_updates_are_those_of_the_paper() -> None:
    np.testing.assert_allclose(updates_of(gradients()), paper(gradients()), atol=2e-4)


def test_heads_are_columns_and_layers_are_a_batch() -> None:
    one, other = gradients(), 3.0 * gradients()[::-1]
    both = np.stack([one, other], axis=1).reshape(STEPS, 2, ROWS, 2, COLUMNS // 2)
    found = updates_of(both, lambda tree: {"kernel": MuonDimensionNumbers((1,), (2, 3))})
    found = found.reshape(STEPS, 2, ROWS, COLUMNS)
    for layer, given in enumerate((one, other)):
        np.testing.assert_allclose(found[:, layer], paper(given), atol=2e-4)


def test_rotated_gradients_give_rotated_updates() -> None:
    random = np.random.default_rng(1)
    u, v = (np.linalg.qr(random.normal(size=(n, n)))[0] for n in (ROWS, COLUMNS))
    rotated, expected = updates_of(u @ gradients() @ v), u @ updates_of(gradients()) @ v
    np.testing.assert_allclose(rotated, expected, atol=2e-4)


def test_a_long_axis_is_not_rotated() -> None:
    adam = optax.scale_by_adam(b1=B1, b2=B2, eps=EPSILON)
    state, moved = adam.init(jnp.zeros((ROWS, COLUMNS))), [np.zeros((ROWS, COLUMNS))]
    for gradient in gradients()[1:]:
        updates, state = adam.update(jnp.asarray(gradient, jnp.float32), state)
        moved.append(np.asarray(updates))
    np.testing.assert_allclose(updates_of(gradients(), max_size=COLUMNS - 1), moved, rtol=1e-4)


def test_a_long_axis_is_saved_and_restored(tmp_path: Path) -> None:
    def start(value: float) -> TrainState:
        params = {"kernel": jnp.full((ROWS, COLUMNS), value)}
        tx = scale_by_soap(plain, max_size=COLUMNS)
        return TrainState.create(apply_fn=None, params=params, tx=tx, key=jax.random.key(0))

    state = start(1.0)
    state = state.apply_gradients(grads=state.params)
    Checkpoints(tmp_path).save(state, {})
    restored = Checkpoints(tmp_path).restore(start(2.0)).state
    chex.assert_trees_all_equal(restored.opt_state, state.opt_state)
    assert restored.opt_state.right["kernel"].shape == (COLUMNS, COLUMNS)
    assert restored.opt_state.left["kernel"] == optax.MaskedNode()


def start() -> TrainState:
    params = {"up": {"kernel": jnp.ones((4, 8))}, "norm": {"scale": jnp.ones(8)}}
    tx = build_optimizer(OptimizerSettings(name="soap", warmup_steps=0), 20)

    def apply(params: Any, x: jax.Array) -> jax.Array:
        return jnp.tanh(x @ params["up"]["kernel"]) * params["norm"]["scale"][None, :]

    return TrainState.create(apply_fn=apply, params=params, tx=tx, key=jax.random.key(0))


def test_it_is_resumed_to_the_bit(tmp_path: Path) -> None:
    def loss(apply: Any, params: Any, batch: Any, key: Any) -> jax.Array:
        return jnp.square(apply(params, batch) - 0.5).mean()

    step = jax.jit(lambda state, batch: train_step(state, batch, loss=loss)[0])
    batches = np.random.default_rng(0).normal(size=(14, 16, 4)).astype(np.float32)
    whole = start()
    for number, batch in enumerate(batches):
        whole = step(whole, batch)
        if number == 4:
            Checkpoints(tmp_path).save(whole, {})
    resumed = Checkpoints(tmp_path).restore(start()).state
    for batch in batches[5:]:
        resumed = step(resumed, batch)
    chex.assert_trees_all_equal(resumed.params, whole.params)
    chex.assert_trees_all_equal(resumed.opt_state, whole.opt_state)


def test_its_matrices_are_split() -> None:
    sizes = {"data": 1, "fsdp": 4, "expert": 1, "tensor": 2}
    mesh = AbstractMesh(tuple(sizes.values()), tuple(sizes), axis_types=(AxisType.Auto,) * 4)
    found = jax.tree_util.tree_leaves_with_path(state_shardings(jax.eval_shape(start), mesh))
    specs = {
        jax.tree_util.keystr(path[-3:], simple=True, separator="."): s.spec for path, s in found
    }
    kernel = PartitionSpec(("fsdp",), ("tensor",))
    assert specs["mean.up.kernel"] == specs["square.up.kernel"] == kernel
    for side in ("left", "right", "left_basis", "right_basis"):
        assert specs[f"{side}.up.kernel"] == PartitionSpec(("fsdp",)), side
