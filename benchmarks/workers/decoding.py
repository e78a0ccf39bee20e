"""Continues prompts with GPT-2 124M, and prints how long it took.

A process of its own, started by `decoding.py`. It measures how fast memory is read too.
"""

import argparse
import json
import os
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

from blocks import override
from blocks.core.parameters import parameter_shapes
from recipes.config import GPTConfig
from recipes.generation.generate import generate
from recipes.generation.sampling import GREEDY
from recipes.nanogpt import build_gpt


def bandwidth(megabytes: int = 512, calls: int = 6) -> float:
    """The best rate of reading an array that no cache holds, in GB/s, by products and by a sum."""
    rows = megabytes * 10**6 // (4 * 4096)
    array = jnp.ones((rows, 4096), jnp.float32)
    readers = (
        jax.jit(lambda a: jnp.ones((1, len(a))) @ a),
        jax.jit(lambda a: a @ jnp.ones((4096, 1))),
        jax.jit(lambda a: a.sum(1)),
    )
    best = 0.0
    for reader in readers:
        reader(array).block_until_ready()
        for _ in range(calls):
            start = time.perf_counter()
            reader(array).block_until_ready()
            best = max(best, array.nbytes / (time.perf_counter() - start) / 1e9)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("batch", "prompt", "tokens", "repeats", "cores"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--dtype", required=True)
    arguments = parser.parse_args()
    dtype = jnp.dtype(arguments.dtype)

    sizes = GPTConfig(vocab_size=50257, use_bias=True, use_qkv_bias=True)
    model = override(build_gpt(sizes), dtype=dtype)
    shapes = parameter_shapes(model, jax.ShapeDtypeStruct((1, 1), jnp.int32))
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: jnp.asarray(0.02 * rng.standard_normal(leaf.shape, np.float32), dtype), shapes
    )
    prompts = rng.integers(50257, size=(arguments.batch, arguments.prompt))

    def seconds(tokens: int) -> float:
        start = time.perf_counter()
        chunks = list(generate(model, params, prompts, tokens=tokens, sampling=GREEDY))
        assert sum(chunk.shape[1] for chunk in chunks) == tokens
        return time.perf_counter() - start

    first = seconds(arguments.tokens)
    times = [seconds(arguments.tokens) for _ in range(arguments.repeats)]
    # The same programs with the prompt and one token: the rest is the time of the others.
    shorter = min(seconds(arguments.tokens // 2 + 1) for _ in range(2))
    more = arguments.tokens - arguments.tokens // 2 - 1
    leaves = jax.tree.leaves(params)
    parameters = sum(leaf.size for leaf in leaves)
    positions = 1024 * 768
    print(
        json.dumps(
            {
                "seconds": times,
                "first": first,
                "step_rate": more / (statistics.median(times) - shorter),
                "parameters": parameters,
                "weight_bytes": (parameters - positions) * dtype.itemsize,
                "bandwidth": bandwidth(),
                "versions": f"JAX {jax.__version__}",
                "threads": len(os.sched_getaffinity(0)),
            }
        )
    )


if __name__ == "__main__":
    main()
