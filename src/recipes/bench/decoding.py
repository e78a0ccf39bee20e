"""Reading of prompts and drawing of tokens, measured as `sample` runs them."""

from __future__ import annotations

import time
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from blocks import LearnedPositions, LMHead, find
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
        tokens: Tokens of each prompt; half of the context at most. As many are drawn, three at
            least.
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

    # Half of the tokens need as many slots of a cache as all: the rest is the time of the others.
    most = max(3, tokens)
    few = most // 2 + 1
    counts = 1, few, most
    spent = [tuple(map(seconds, counts)) for _ in range(1 + turns)][1:]  # the first compile
    shorter = min(short for _, short, _ in spent)  # of each turn by itself, noise would count twice
    rates = [batch * (most - few) / max(whole - shorter, 1e-9) for *_, whole in spent]
    return Decoding(
        batch=batch,
        prompt=tokens,
        tokens=most,
        prefill=Spread.of([batch * tokens / one for one, *_ in spent]),
        decode=Spread.of(rates),
        weight_bytes=weight_bytes(model, params),
    )


def weight_bytes(model: nn.Module, params: Any) -> int:
    """Bytes of the parameters that a token may need, all experts among them.

    Of a table that is only a look-up, as that of learned positions, none.
    """
    tied = any(head.tied for head in find(model, LMHead).values())
    tables = [*find(model, LearnedPositions), *([] if tied else ["embed"])]
    return sum(
        leaf.nbytes
        for path, leaf in jax.tree.leaves_with_path(params)
        for name in (jax.tree_util.keystr(path, simple=True, separator="."),)
        if not any(name.startswith(f"{table}.") for table in tables)
    )
