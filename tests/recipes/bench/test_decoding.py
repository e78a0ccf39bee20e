"""The speed of drawing is that of the tokens alone, and the weights are those that they need."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks.core.parameters import parameter_shapes
from recipes.bench import decoding
from recipes.bench.decoding import measure_decoding, weight_bytes
from recipes.config import GPTConfig
from recipes.generation.generate import lengths
from recipes.nanogpt import build_gpt


def test_reading_and_the_size_of_the_cache_are_no_part_of_drawing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]

    def generate(_: Any, __: Any, prompt: np.ndarray, *, tokens: int, **___: Any) -> Iterator[int]:
        # A hundredth of a second for each slot of a cache, an eighth for a token.
        *_, slots = lengths(prompt.shape[1] - 1, tokens, 1024, 0)
        clock[0] += slots / 100 + tokens / 8
        yield 0

    monkeypatch.setattr(decoding, "generate", generate)
    monkeypatch.setattr(decoding, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    model = build_gpt(GPTConfig(num_layers=1, num_heads=1, features=4, vocab_size=65))
    options = {"context": 1024, "batch": 2, "turns": 2}
    for tokens in (1, 100, 128):
        figures = measure_decoding(model, {}, 65, tokens=tokens, **options)
        assert figures.decode.median == pytest.approx(2 * 8)


@pytest.mark.parametrize("tied", [True, False])
def test_tables_that_are_looked_up_are_not_read(tied: bool) -> None:
    config = GPTConfig(
        num_layers=1, num_heads=1, features=4, context=32, vocab_size=65, tied_head=tied
    )
    model = build_gpt(config)
    shapes = parameter_shapes(model, jax.ShapeDtypeStruct((1, 1), jnp.int32))
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), shapes)
    # A layer, three norms, and the scores of tokens: by the embedding or by weights beside it.
    assert weight_bytes(model, params) == 4 * (12 * 4**2 + 3 * 4 + 65 * 4)
