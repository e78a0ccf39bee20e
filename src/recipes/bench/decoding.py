"""Reading of prompts and drawing of tokens, measured as `sample` runs them."""

from __future__ import annotations

import time
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from blocks import LMHead, find
from recipes.bench.figures import Decoding, Spread
from recipes.generation.generate import generate
from recipes.generation.sampling import Sampling


def measure_decoding(
    model: nn.Module,
    params: Any,
    vocab_size: int,
    *,
    context: int,
    batch: int,
    tokens: int,
    turns: int,
) -> Decoding:
    """Continue random prompts with the most probable tokens.

    Args:
        model: The model.
        params: Its parameters.
        vocab_size: Number of token ids.
        context: Maximum sequence length of the model.
        batch: Prompts at a time.
        tokens: Tokens of each prompt, and as many that are drawn; half of the context at most.
        turns: How often both are measured.
    """
    tokens = max(1, min(tokens, context // 2))
    prompt = np.random.default_rng(0).integers(0, vocab_size, (batch, tokens))
    options = {"context": context, "sampling": Sampling(temperature=0.0)}

    def seconds(count: int) -> float:
        started = time.perf_counter()
        for _ in generate(model, params, prompt, tokens=count, **options):
            pass
        return time.perf_counter() - started

    spent = [(seconds(1), seconds(1 + tokens)) for _ in range(1 + turns)][1:]  # the first compile
    read = min(one for one, _ in spent)  # of each turn by itself, noise would count twice
    return Decoding(
        batch=batch,
        prompt=tokens,
        tokens=tokens,
        prefill=Spread.of([batch * tokens / one for one, _ in spent]),
        decode=Spread.of([batch * tokens / max(whole - read, 1e-9) for _, whole in spent]),
        weight_bytes=weight_bytes(model, params),
    )


def weight_bytes(model: nn.Module, params: Any) -> int:
    """Bytes of the parameters that every token needs: of an embedding that is a look-up, none."""
    tied = any(head.tied for head in find(model, LMHead).values())
    read = {name: tree for name, tree in params.items() if tied or name != "embed"}
    return sum(leaf.nbytes for leaf in jax.tree.leaves(read))
