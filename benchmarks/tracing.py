"""How long a model takes to trace and to compile, by depth, as a loop and as a scan.

python benchmarks/tracing.py 4 12 48
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from blocks import (
    Causal,
    CausalLM,
    GatedMLP,
    LMHead,
    MultiHeadAttention,
    RMSNorm,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)


def model(depth: int, scan: bool) -> CausalLM:
    attention = MultiHeadAttention(num_heads=8, num_kv_heads=2, position=RoPE(), mask=Causal())
    layer = TransformerBlock(attention=attention, mlp=GatedMLP(hidden=512), norm=RMSNorm())
    return CausalLM(
        embed=TokenEmbedding(vocab_size=256, features=128),
        stack=Stack(block=layer, depth=depth, scan=scan),
        norm=RMSNorm(),
        head=LMHead(tied=True),
    )


def seconds(function, *args) -> tuple[float, float]:
    """To trace and lower, and to compile."""
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*args)
    traced = time.perf_counter()
    lowered.compile()
    return traced - start, time.perf_counter() - traced


def total(lm: CausalLM, tokens: jax.Array) -> Callable[[Any], jax.Array]:
    def sums(variables: Any) -> jax.Array:
        logits: Any = lm.apply(variables, tokens)
        return logits.sum()

    return sums


def main(depths: list[int]) -> None:
    tokens = jnp.zeros((1, 16), jnp.int32)
    print("depth  layout  init: trace compile  gradient: trace compile   (seconds)")
    for depth in depths:
        for scan in (False, True):
            lm = model(depth, scan)
            init = seconds(lm.init, jax.random.key(0), tokens)
            shapes = jax.eval_shape(lm.init, jax.random.key(0), tokens)
            gradient = seconds(jax.grad(total(lm, tokens)), shapes)
            layout = "scan" if scan else "loop"
            row = (*init, *gradient)
            print(f"{depth:5}  {layout:6}" + "".join(f"{value:12.2f}" for value in row))


if __name__ == "__main__":
    main([int(depth) for depth in sys.argv[1:]] or [4, 12, 48])
