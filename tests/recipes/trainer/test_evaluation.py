import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recipes_tiny import NET, Batches, loss, make_state

from recipes.trainer.evaluation import evaluate


def test_evaluation_is_the_weighted_mean_over_all_batches() -> None:
    def counted(apply_fn, params, batch, key):
        return batch["v"].mean(), {"weight": batch["w"][0]}

    batches = [
        {"v": np.float32([1.0]), "w": np.float32([3.0])},
        {"v": np.float32([5.0]), "w": np.float32([1.0])},
    ]
    assert evaluate(NET.apply, {}, batches, counted) == {"loss": 2.0, "weight": 4.0}


def test_a_batch_in_which_nothing_counts_changes_nothing() -> None:
    def counted(apply_fn, params, batch, key):
        weight = batch["w"].sum()
        return (batch["v"] * batch["w"]).sum() / weight, {"weight": weight}

    one = {"v": np.float32([3.0]), "w": np.float32([1.0])}
    none = {"v": np.float32([7.0]), "w": np.float32([0.0])}
    assert evaluate(NET.apply, {}, [one, none], counted) == {"loss": 3.0, "weight": 1.0}
    with pytest.raises(ValueError, match="nothing to evaluate on"):
        evaluate(NET.apply, {}, [none], counted)
    with pytest.raises(ValueError, match="nothing to evaluate on"):
        evaluate(NET.apply, {}, [], counted)


def test_evaluation_is_without_dropout_and_leaves_the_parameters() -> None:
    state, batch = make_state(), next(Batches())
    expected = jnp.square(NET.apply({"params": state.params}, batch["x"]) - batch["y"]).mean()
    for _ in range(2):
        found = evaluate(state.apply_fn, state.params, [batch], loss)
        np.testing.assert_allclose(found["loss"], expected, rtol=1e-6)


def test_all_evaluations_of_a_run_share_one_program() -> None:
    state, batches = make_state(), Batches()
    counted = chex.assert_max_traces(loss, n=1)
    for _ in range(2):
        evaluate(state.apply_fn, state.params, [next(batches) for _ in range(3)], counted)


def test_few_batches_are_on_the_device_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that are drawn and not read back yet are those that the device holds."""
    held, most = 0, 0

    def drawn():
        nonlocal held, most
        for _ in range(50):
            held += 1
            most = max(most, held)
            yield {"w": np.float32([1.0])}

    def read(results):
        nonlocal held
        held -= len(results) if isinstance(results, list) else 1
        return device_get(results)

    def counted(apply_fn, params, batch, key):
        return batch["w"].sum(), {"weight": batch["w"][0]}

    device_get = jax.device_get
    monkeypatch.setattr(jax, "device_get", read)
    assert evaluate(NET.apply, {}, drawn(), counted) == {"loss": 1.0, "weight": 50.0}
    assert most <= 8
    assert held == 0
