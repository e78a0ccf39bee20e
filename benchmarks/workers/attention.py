"""Attends once forward and backward with one kernel, and prints what it took.

A process of its own, started by `attention_memory.py`, so that its peak memory is one kernel's.
"""

import argparse
import json
import resource
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp

from blocks import Causal, ChunkedAttention, dot_product_attention
from blocks.attention.kernels import BandedAttention, Kernel
from blocks.context import locate

KERNELS: dict[str, Kernel] = {
    "plain": dot_product_attention,
    "chunked": ChunkedAttention(),
    "banded": BandedAttention(),
}


def inputs(batch: int, length: int, heads: int, head_dim: int) -> list[jax.Array]:
    """Queries, keys, values, and the gradient that comes in from above."""
    keys = jax.random.split(jax.random.key(0), 4)
    return [jax.random.normal(key, (batch, length, heads, head_dim)) for key in keys]


def compiled(kernel: Kernel, arrays: list[jax.Array]) -> jax.stages.Compiled:
    """The result of causal attention and the gradients of queries, keys and values."""
    at = locate(None, 1, arrays[0].shape[1])

    def weighted(q: jax.Array, k: jax.Array, v: jax.Array, above: jax.Array) -> Any:
        out = kernel(q, k, v, at, at, mask=Causal())
        return (above * out).sum(), out

    gradient = jax.grad(weighted, argnums=(0, 1, 2), has_aux=True)
    return jax.jit(gradient).lower(*arrays).compile()


def needs(program: jax.stages.Compiled) -> int:
    """Bytes of arguments, results and everything between, as the compiler laid them out."""
    memory = program.memory_analysis()
    if memory is None:
        sys.exit("This version of JAX does not say how much memory a compiled program needs.")
    sizes = (memory.argument_size_in_bytes, memory.output_size_in_bytes)
    return sum(sizes) + memory.temp_size_in_bytes


def differences(arrays: list[jax.Array]) -> dict[str, float]:
    """How far the chunked kernel is from the plain one."""
    results = [compiled(KERNELS[name], arrays)(*arrays) for name in ("plain", "chunked")]
    (gradients, out), (other_gradients, other_out) = results
    relative = [
        float(jnp.abs(b - a).max() / jnp.abs(a).max())
        for a, b in zip(gradients, other_gradients, strict=True)
    ]
    return {"output": float(jnp.abs(other_out - out).max()), "gradients": max(relative)}


def measured(program: jax.stages.Compiled, arrays: list[jax.Array], repeats: int) -> list[float]:
    """Seconds of each run; the first warms up and is left out where there are more."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(program(*arrays))
        seconds.append(time.perf_counter() - started)
    return seconds[1:] or seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", choices=[*KERNELS, "both"], required=True)
    parser.add_argument("--batch", type=int, required=True, help="sequences")
    parser.add_argument("--length", type=int, required=True, help="tokens")
    parser.add_argument("--heads", type=int, required=True)
    parser.add_argument("--head-dim", type=int, required=True)
    parser.add_argument("--repeats", type=int, required=True, help="0 compiles only")
    arguments = parser.parse_args()
    arrays = inputs(arguments.batch, arguments.length, arguments.heads, arguments.head_dim)
    if arguments.kernel == "both":
        print(json.dumps(differences(arrays)))
        return
    program = compiled(KERNELS[arguments.kernel], arrays)
    seconds = measured(program, arrays, arguments.repeats) if arguments.repeats else []
    unit = 1 if sys.platform == "darwin" else 1024
    print(
        json.dumps(
            {
                "needs": needs(program),
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
                "seconds": min(seconds) if seconds else None,
                "versions": f"JAX {jax.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
