"""Rows of published architectures beside the reference library, where it is installed."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from our_rows import difference, our_continuation, our_gradients, our_outputs
from reference_rows import LIVE_TOKENS, Row, all_rows, family_of

from blocks import override
from recipes.config import GPTConfig
from recipes.data.safetensors import read_header
from recipes.nanogpt import build_gpt
from recipes.runs.published import gpt2_config, with_biases
from recipes.weights import load, save
from recipes.weights.folder import WEIGHTS
from reference import (
    in_bfloat16,
    logits_of,
    nudged,
    open_reference,
    reference_gradients,
    reference_outputs,
)

ROWS = all_rows()
pytestmark = pytest.mark.reference


@pytest.fixture(scope="module", autouse=True)
def _reference():
    pytest.importorskip("transformers", reason="needs the extra `reference`")


class Opened(NamedTuple):
    """A row's folder, the reference's model of it, and what we load from it."""

    row: Row
    folder: Path
    theirs: Any
    model: Any
    params: Any

    @property
    def vocab(self) -> int:
        return self.row.config.get("vocab_size", 0)


def rows(group: Callable[[Row], str]) -> list[Any]:
    """All rows; the first of each group stands for the others."""
    first = {group(row): name for name, row in reversed(ROWS.items())}.values()
    return [pytest.param(name, marks=[] if name in first else pytest.mark.further) for name in ROWS]


@pytest.fixture(scope="module", params=rows(family_of))
def opened(request, tmp_path_factory) -> Opened:
    row, folder = ROWS[request.param], tmp_path_factory.mktemp(request.param)
    theirs, _ = open_reference(row, folder)
    return Opened(row, folder, theirs, *load(folder, tokenizer=False)[:2])


each_kind = pytest.mark.parametrize(
    "opened", rows(lambda row: row.kind), indirect=True, scope="module"
)


def test_a_row_computes_what_the_reference_computes(opened, record_property):
    row, _, theirs, model, params = opened
    expected = reference_outputs(row, theirs, tokens=LIVE_TOKENS)
    largest = difference(row, our_outputs(row, model, params, opened.vocab), expected["output"])
    record_property("largest difference", (row.number, row.name, largest))
    if largest > 1e-4:  # no more than the reference itself moves when its weights are rounded
        changed = reference_outputs(row, nudged(copy.deepcopy(theirs)), tokens=0)["output"]
        assert largest <= difference(row, changed, expected["output"])
    if "continued" in expected:
        drawn = our_continuation(row, model, params, opened.vocab, LIVE_TOKENS)
        assert drawn.tolist() == expected["continued"].tolist()


@each_kind
def test_bfloat16_is_as_close_as_the_reference_s_own(opened):
    """By the mean: where a router's choice is close, bfloat16 may choose another expert."""
    row, _, theirs, model, params = opened
    exact = reference_outputs(row, theirs, tokens=0)["output"]
    rounded = reference_outputs(row, in_bfloat16(copy.deepcopy(theirs)), tokens=0)["output"]
    half = override(model, dtype=jnp.bfloat16)
    ours = np.asarray(our_outputs(row, half, params, opened.vocab), np.float32)
    error, own = (difference(row, output, exact, np.mean) for output in (ours, rounded))
    assert error <= max(0.02 * np.abs(exact).mean(), 2 * own)


@each_kind
def test_the_gradients_of_a_step_are_the_reference_s(opened, tmp_path):
    """Relative to each tensor's largest, or to a hundredth of all where theirs all but cancel.

    Tensors that the reference holds in another form than its files, such as stacked experts, are
    left out; the gradients by the embeddings went through them.
    """
    row, folder, theirs, model, params = opened
    expected = reference_gradients(row, theirs)
    gradients = our_gradients(row, model, params, opened.vocab)
    save(tmp_path / "gradients", gradients, config=folder)
    ours = read_header(tmp_path / "gradients" / WEIGHTS)
    least = 1e-2 * max(np.abs(array).max() for array in expected.values())
    errors = {
        tensor: np.abs(ours[tensor].read() - array).max() / max(least, np.abs(array).max())
        for tensor, array in expected.items()
        if tensor in ours
    }
    assert any(re.search(r"embed|\bwte\b|\bshared\b", tensor) for tensor in errors)
    assert max(errors.values()) <= 1e-3


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
