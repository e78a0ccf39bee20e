"""Rows of published architectures beside the reference library, where it is installed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from our_rows import difference, our_continuation, our_outputs
from reference_rows import LIVE_TOKENS, all_rows, inputs_of

from blocks import override
from recipes.config import GPTConfig
from recipes.nanogpt import build_gpt
from recipes.runs.published import gpt2_config, with_biases
from recipes.weights import load, save
from reference import gradient_of, in_bfloat16, logits_of, open_reference, reference_outputs

ROWS = all_rows()
pytestmark = pytest.mark.reference


@pytest.fixture(scope="module", autouse=True)
def _reference():
    pytest.importorskip("transformers", reason="needs the extra `reference`")


@pytest.mark.parametrize("name", ROWS)
def test_a_row_computes_what_the_reference_computes(name, tmp_path, record_property):
    row = ROWS[name]
    theirs, _ = open_reference(row, tmp_path)
    expected = reference_outputs(row, theirs, tokens=LIVE_TOKENS)
    model, params, _ = load(tmp_path, tokenizer=False)
    vocab = row.config.get("vocab_size", 0)
    largest = difference(row, our_outputs(row, model, params, vocab), expected["output"])
    record_property("largest difference", (row.number, name, largest))
    assert largest <= 1e-4
    if "continued" in expected:
        drawn = our_continuation(row, model, params, vocab, LIVE_TOKENS)
        assert drawn.tolist() == expected["continued"].tolist()


@pytest.mark.parametrize("name", ROWS)
def test_bfloat16_is_as_close_as_the_reference_s_own(name, tmp_path):
    """By the mean: where a router's choice is close, bfloat16 may choose another expert."""
    row = ROWS[name]
    theirs, _ = open_reference(row, tmp_path)
    exact = reference_outputs(row, theirs, tokens=0)["output"]
    rounded = reference_outputs(row, in_bfloat16(theirs), tokens=0)["output"]
    model, params, _ = load(tmp_path, tokenizer=False)
    half = override(model, dtype=jnp.bfloat16)
    ours = np.asarray(our_outputs(row, half, params, row.config.get("vocab_size", 0)), np.float32)
    error, own = (difference(row, output, exact, np.mean) for output in (ours, rounded))
    assert error <= max(0.02 * np.abs(exact).mean(), 2 * own)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.kind == "causal"])
def test_the_gradient_of_a_step_is_the_reference_s(name, tmp_path):
    row = ROWS[name]
    theirs, _ = open_reference(row, tmp_path)
    model, params, _ = load(tmp_path, tokenizer=False)
    tokens = jnp.asarray(inputs_of(row, row.config["vocab_size"])["input_ids"])

    def loss(params):
        logits = model.apply({"params": params}, tokens[:, :-1])
        return optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:]).mean()

    embed = jax.jit(jax.grad(loss))(params)["embed"]
    ours = embed.get("embed", embed)["embedding"]  # a narrow one stands inside
    expected = gradient_of(row, theirs)
    error = np.abs(np.asarray(ours) - expected).max() / np.abs(expected).max()
    assert error <= 1e-3


@pytest.mark.parametrize("use_bias", [False, True])
def test_an_exported_gpt_gives_the_reference_the_same_logits(use_bias, tmp_path):
    sizes = {"num_layers": 2, "num_heads": 2, "features": 16, "context": 8, "vocab_size": 11}
    config = GPTConfig(**sizes, use_bias=use_bias)
    model, tokens = build_gpt(config), np.array([[1, 5, 3, 7]])
    params = model.init(jax.random.key(0), jnp.asarray(tokens))["params"]
    save(tmp_path, with_biases(params, config), config=gpt2_config(config))
    theirs = logits_of("GPT2LMHeadModel", tmp_path, tokens)
    ours = model.apply({"params": params}, jnp.asarray(tokens))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
