import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from recipes_tiny import Batches, loss, make_state, noiseless

from recipes.trainer.state import TrainState
from recipes.trainer.step import train_step, train_steps


def stacked(count: int, **options: object) -> dict[str, np.ndarray]:
    batches = Batches(**options)
    taken = [next(batches) for _ in range(count)]
    return {name: np.stack([batch[name] for batch in taken]) for name in taken[0]}


def test_dropout_differs_at_every_step_and_is_reproducible() -> None:
    state, batch = make_state(), next(Batches())
    first = train_step(state, batch, loss=loss)[1]["train_loss"]
    again = train_step(state, batch, loss=loss)[1]["train_loss"]
    later = train_step(state.replace(step=state.step + 1), batch, loss=loss)[1]["train_loss"]
    assert first == again
    assert first != later


def test_a_step_follows_the_gradient_of_the_loss() -> None:
    state, batch = make_state(weight_decay=0.0, clip_norm=None), next(Batches())
    gradient = jax.grad(lambda p: noiseless(state.apply_fn, p, batch, None)[0])(state.params)
    new, metrics = train_step(state, batch, loss=noiseless)
    # AdamW's first step is the learning rate times the sign of the gradient.
    moved = jax.tree.map(lambda n, o: jnp.sign(o - n), new.params, state.params)
    chex.assert_trees_all_close(moved, jax.tree.map(jnp.sign, gradient))
    squares = sum(float((g**2).sum()) for g in jax.tree.leaves(gradient))
    np.testing.assert_allclose(metrics["grad_norm"], squares**0.5, rtol=1e-5)
    changes = jax.tree.map(jnp.subtract, new.params, state.params)
    squares = sum(float((c**2).sum()) for c in jax.tree.leaves(changes))
    np.testing.assert_allclose(metrics["update_norm"], squares**0.5, rtol=1e-3)
    assert int(new.step) == 1


def test_accumulated_gradients_are_those_of_the_whole_batch() -> None:
    state, batch = make_state(), next(Batches())
    whole = train_step(state, batch, loss=noiseless)
    parts = train_step(state, batch, loss=noiseless, accumulate=4)
    chex.assert_trees_all_close(parts[0].params, whole[0].params, rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_close(parts[1], whole[1], rtol=1e-5)


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"accumulate=3 must divide the batch of 8; use 1, 2, 4, 8"
    ):
        train_step(make_state(), next(Batches()), loss=loss, accumulate=3)


def test_grouping_of_steps_changes_no_bit_and_compiles_once() -> None:
    def steps(state, batches, count):
        return train_steps(state, batches, count, loss=loss)

    run = jax.jit(chex.assert_max_traces(steps, n=1))
    batches = stacked(6)
    start = apart = make_state()
    together, metrics = run(start, batches, np.int32(6))
    losses = []
    for first, count in ((0, 1), (1, 3), (4, 2)):
        group = {name: np.roll(values, -first, axis=0) for name, values in batches.items()}
        apart, rows = run(apart, group, np.int32(count))
        losses += rows["train_loss"][:count].tolist()
    chex.assert_trees_all_equal(together.params, apart.params)
    chex.assert_trees_all_equal(together.opt_state, apart.opt_state)
    assert losses == metrics["train_loss"].tolist()


def test_parts_count_by_their_weight() -> None:
    def counted(apply_fn, params, batch, key):
        weight = batch["w"].sum()
        errors = (params["a"] - batch["y"]) ** 2
        return (batch["w"] * errors).sum() / weight, {"weight": weight}

    batch = {"y": jnp.array([1.0, 2.0, 4.0, 8.0]), "w": jnp.array([1.0, 0.0, 3.0, 2.0])}
    state = TrainState.create(
        apply_fn=counted, params={"a": jnp.float32(0.0)}, tx=optax.sgd(1.0), key=jax.random.key(0)
    )
    new, metrics = train_step(state, batch, loss=counted, accumulate=2)
    # The mean of y with these weights is (1 + 12 + 16) / 6; of its squares, (1 + 48 + 128) / 6.
    np.testing.assert_allclose(new.params["a"], 2 * 29 / 6, rtol=1e-6)
    np.testing.assert_allclose(metrics["train_loss"], 177 / 6, rtol=1e-6)
    assert metrics["weight"] == 6.0


def test_each_part_has_dropout_of_its_own() -> None:
    def noise(apply_fn, params, batch, key):
        drawn = jax.random.uniform(key)
        return params["a"] * drawn, {"weight": jnp.float32(1.0), "square": drawn**2}

    state = TrainState.create(
        apply_fn=noise, params={"a": jnp.float32(1.0)}, tx=optax.sgd(1.0), key=jax.random.key(0)
    )
    metrics = train_step(state, {"x": jnp.zeros(2)}, loss=noise, accumulate=2)[1]
    # The mean of squares is the square of the mean only where both parts drew the same.
    assert metrics["square"] > metrics["train_loss"] ** 2 * (1 + 1e-4)


def test_narrow_parameters_and_whole_numbers_accumulate() -> None:
    def tenths(apply_fn, params, batch, key):
        metrics = {"weight": jnp.int32(1), "correct": jnp.int32(1)}
        return (params["a"] * batch["x"].mean()).astype(jnp.bfloat16), metrics

    params = {"a": jnp.zeros((), jnp.bfloat16)}
    state = TrainState.create(
        apply_fn=tenths, params=params, tx=optax.sgd(1.0), key=jax.random.key(0)
    )
    batch = {"x": jnp.full(512, 0.1, jnp.bfloat16)}
    new, metrics = train_step(state, batch, loss=tenths, accumulate=512)
    assert new.params["a"].dtype == jnp.bfloat16
    assert metrics["correct"] == 1.0
    # Summed in bfloat16, tenths stop adding up at 32, which would give 0.06.
    np.testing.assert_allclose(np.float32(new.params["a"]), -0.1, rtol=1e-2)


def test_a_loss_without_a_weight_is_refused() -> None:
    def bare(apply_fn, params, batch, key):
        return loss(apply_fn, params, batch, key)[0], {"accuracy": jnp.float32(1.0)}

    with pytest.raises(ValueError, match=r"hold \['accuracy'\], and `weight` must be among them"):
        train_step(make_state(), next(Batches()), loss=bare)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_loss_is_traced_once_for_groups_of_any_length(accumulate: int) -> None:
    def steps(state, batches, count):
        counted = chex.assert_max_traces(loss, n=1)
        return train_steps(state, batches, count, loss=counted, accumulate=accumulate)

    run, state = jax.jit(steps), make_state()
    for count in (6, 2):
        run(state, stacked(6), np.int32(count))
