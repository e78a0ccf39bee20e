"""The recipe's model and loss against what they are defined to be."""

import math
from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables

from blocks.layers import stack_layers
from recipes.config import GPTConfig
from recipes.errors import RecipeError
from recipes.nanogpt import build_gpt, initial_state, next_token_loss
from recipes.presets import PRESETS


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        # Embeddings, then per layer 12 d^2 and its norms and biases, then the last norm and head.
        (PRESETS["gpt2-124m"].model, 124_439_808),  # as OpenAI's smallest GPT-2
        (PRESETS["shakespeare-char"].model, 10_745_088),  # 10.65 M without positions, in its README
        (
            PRESETS["shakespeare-char-cpu"].model,
            (65 + 64) * 128 + 4 * (12 * 128**2 + 2 * 128) + 128,
        ),
        (
            PRESETS["lecture"].model,
            (65 + 256) * 384 + 6 * (12 * 384**2 + 10 * 384) + 2 * 384 + 65 * 384 + 65,
        ),
    ],
    ids=["gpt2-124m", "shakespeare-char", "shakespeare-char-cpu", "lecture"],
)
def test_models_have_the_parameters_of_the_originals(config: GPTConfig, parameters: int) -> None:
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    shapes = jax.eval_shape(build_gpt(config).init, jax.random.key(0), tokens)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == parameters


def test_the_same_settings_are_the_same_model() -> None:
    config = GPTConfig(vocab_size=65)
    assert build_gpt(config) == build_gpt(config)
    assert build_gpt(config) != build_gpt(replace(config, activation="relu"))


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("stddev", [0.02, 0.05])
def test_weights_start_as_the_settings_say(stddev: float, scaled: bool) -> None:
    config = GPTConfig(
        num_layers=3,
        features=96,
        context=64,
        vocab_size=500,
        init_stddev=stddev,
        scaled_residual_init=scaled,
        tied_head=False,
    )
    tokens = jnp.zeros((1, 2), jnp.int32)
    params = jax.jit(build_gpt(config).init)(jax.random.key(0), tokens)["params"]
    for embedding in (params["embed"]["embedding"], params["embed"]["position"]["embedding"]):
        np.testing.assert_allclose(np.std(embedding), 0.02, rtol=0.02)
    np.testing.assert_allclose(np.std(params["head"]["kernel"]), 0.02, rtol=0.02)
    layers = params["stack"]
    back = [layers[f"layer_{i}"]["mlp"]["down"]["kernel"] for i in range(3)]
    out = [layers[f"layer_{i}"]["attention"]["out"]["kernel"] for i in range(3)]
    inward = [layers[f"layer_{i}"]["mlp"]["up"]["kernel"] for i in range(3)]
    # Two sublayers in each of three layers.
    smaller = stddev / math.sqrt(6) if scaled else stddev
    np.testing.assert_allclose(np.std(inward), stddev, rtol=0.02)
    np.testing.assert_allclose(np.std(back), smaller, rtol=0.02)
    np.testing.assert_allclose(np.std(out), smaller, rtol=0.02)


def logits_of(**fields: Any) -> tuple[jax.Array, Any]:
    """Logits and gradient of a small GPT whose parameters are those of the plain one."""
    sizes = {"num_layers": 2, "num_heads": 2, "features": 16, "context": 8, "vocab_size": 31}
    tokens = jnp.arange(8)[None]
    params = drawn_variables(build_gpt(GPTConfig(**sizes)), tokens)["params"]
    model = build_gpt(GPTConfig(**sizes, **fields))
    if fields.get("scan"):
        params = {**params, "stack": stack_layers(params["stack"])}
    batch = {"inputs": tokens, "targets": tokens}
    loss = partial(next_token_loss, model.apply, batch=batch, key=None)
    gradient = jax.jit(jax.grad(loss, has_aux=True))(params)[0]
    return jax.jit(model.apply)({"params": params}, tokens), gradient["embed"]["embedding"]


@cache
def plain() -> tuple[jax.Array, Any]:
    return logits_of()


# What is computed again is tested in tests/blocks/layers/test_remat.py.
kept = [pytest.mark.slow, pytest.mark.further]


@pytest.mark.parametrize(
    ("fields", "tolerance"),
    [
        ({"remat": "full"}, 1e-6),
        pytest.param({"remat": "sublayers"}, 1e-6, marks=kept),
        pytest.param({"remat": "dots"}, 1e-6, marks=kept),
        ({"scan": True}, 1e-5),
        ({"dtype": "bfloat16"}, 0.03),
    ],
)
def test_remat_scan_and_precision_compute_the_same_model(
    fields: dict[str, Any], tolerance: float
) -> None:
    for here, there in zip(logits_of(**fields), plain(), strict=True):
        assert here.dtype == jnp.float32
        np.testing.assert_allclose(here, there, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("num_layers", "scan", "scanned"),
    [(4, None, False), (48, None, True), (48, False, False), (4, True, True)],
)
def test_one_layer_is_compiled_for_all_of_a_deep_model(
    num_layers: int, scan: bool | None, scanned: bool
) -> None:
    config = GPTConfig(num_layers=num_layers, scan=scan, vocab_size=31)
    assert build_gpt(config).stack.scan is scanned


def test_bfloat16_computes_in_bfloat16_and_keeps_parameters_in_float32() -> None:
    config = GPTConfig(
        num_layers=1, num_heads=2, features=16, context=8, vocab_size=31, dtype="bfloat16"
    )
    tokens = jnp.zeros((1, 8), jnp.int32)
    params = jax.eval_shape(build_gpt(config).init, jax.random.key(0), tokens)["params"]
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    traced = jax.make_jaxpr(build_gpt(config).apply)({"params": params}, tokens)
    # Their operands are in bfloat16, their sums may be in float32.
    products = [equation for equation in traced.eqns if equation.primitive.name == "dot_general"]
    low = [str(equation.invars[1].aval.dtype) for equation in products]
    assert low.count("bfloat16") >= 6


def test_building_without_a_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="vocab_size=None must be known to build"):
        build_gpt(GPTConfig())


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"num_heads": 5, "features": 64}, "num_heads=5 must divide features=64"),
        ({"context": 0}, "context=0 must be at least 1"),
        ({"vocab_size": 0}, "vocab_size=0 must be at least 1"),
        ({"dropout_rate": 1.0}, "dropout_rate=1.0 must be at least 0 and below 1"),
        ({"dropout_rate": float("nan")}, "dropout_rate=nan must be"),
        ({"init_stddev": 0.0}, "init_stddev=0.0 must be positive"),
        ({"init_stddev": float("inf")}, "init_stddev=inf must be positive"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, Any], cause: str) -> None:
    with pytest.raises(RecipeError, match=cause):
        GPTConfig(**fields)


def test_the_loss_is_the_mean_negative_log_probability_of_the_targets_that_count() -> None:
    logits = np.log([[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]]).astype(np.float32)
    batch = {
        "inputs": jnp.zeros((1, 3), jnp.int32),
        "targets": jnp.array([[0, 2, 1]]),
        "weights": jnp.array([[1.0, 1.0, 0.0]]),
    }
    calls = []

    def apply_fn(variables: Any, tokens: Any, context: Any, deterministic: bool, rngs: Any) -> Any:
        calls.append((deterministic, rngs))
        return jnp.array(logits)

    loss, metrics = next_token_loss(apply_fn, {}, batch, None)
    np.testing.assert_allclose(loss, -(math.log(0.5) + math.log(0.7)) / 2, rtol=1e-6)
    assert metrics["weight"] == 2.0
    next_token_loss(apply_fn, {}, batch, jax.random.key(0))
    assert calls[0] == (True, None)
    assert calls[1][0] is False
    assert set(calls[1][1]) == {"dropout"}


def test_an_untrained_model_guesses_uniformly() -> None:
    recipe = replace(PRESETS["quick"], model=replace(PRESETS["quick"].model, vocab_size=65))
    model = build_gpt(recipe.model)
    tokens = jax.random.randint(jax.random.key(0), (4, 33), 0, 65)
    batch = {"inputs": tokens[:, :-1], "targets": tokens[:, 1:]}
    params = initial_state(recipe, model).params
    loss, _ = jax.jit(partial(next_token_loss, model.apply, key=None))(params, batch=batch)
    np.testing.assert_allclose(loss, math.log(65), atol=0.1)


def test_the_lecture_s_gpt_computes_what_its_file_says() -> None:
    """In numpy and float64, head by head, as gpt.py has it: heads side by side, then a map."""
    sizes = {"num_layers": 2, "num_heads": 2, "features": 8, "context": 6, "vocab_size": 11}
    model, tokens = build_gpt(replace(PRESETS["lecture"].model, **sizes)), jnp.array([[1, 7, 7, 3]])
    draw = np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens)["params"]
    params = jax.tree.map(lambda leaf: draw.normal(size=leaf.shape), shapes)

    def layer_norm(x: np.ndarray, p: Any) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        return (
            centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p["bias"]
        )

    def head(x: np.ndarray, p: Any, index: int) -> np.ndarray:
        q, k, v = (x @ p[name]["kernel"][:, index] for name in ("query", "key", "value"))
        scores = np.where(np.tri(len(x)) == 0, -np.inf, q @ k.T * 4**-0.5)
        odds = np.exp(scores - scores.max(-1, keepdims=True))
        return odds / odds.sum(-1, keepdims=True) @ v

    x = params["embed"]["embedding"][tokens[0]] + params["embed"]["position"]["embedding"][:4]
    for layer in range(2):
        p = params["stack"][f"layer_{layer}"]
        attention, mlp, h = p["attention"], p["mlp"], layer_norm(x, p["attention_norm"])
        heads = np.concatenate([head(h, attention, index) for index in range(2)], axis=-1)
        x = x + heads @ attention["out"]["kernel"].reshape(8, 8) + attention["out"]["bias"]
        h = np.maximum(layer_norm(x, p["mlp_norm"]) @ mlp["up"]["kernel"] + mlp["up"]["bias"], 0.0)
        x = x + h @ mlp["down"]["kernel"] + mlp["down"]["bias"]
    want = layer_norm(x, params["norm"]) @ params["head"]["kernel"] + params["head"]["bias"]
    got = jax.jit(model.apply)({"params": jax.tree.map(jnp.float32, params)}, tokens)
    np.testing.assert_allclose(got[0], want, rtol=1e-4, atol=1e-4)
