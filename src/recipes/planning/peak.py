"""The arithmetic that the devices at hand can do at most."""

import functools
import time

import jax
import jax.numpy as jnp

from recipes.planning.hardware import HARDWARE

# Words of `device_kind` that tell what a device is.
KINDS = {"A100": "a100", "H100": "h100", "H200": "h200", "v5p": "tpu-v5p"}
# Rows and columns of the product that is measured on others, and how often.
SIZE, TIMES = 512, 5


@functools.cache
def peak_flops(dtype: str) -> float | None:
    """Operations per second of one device in matrix products, by its data sheet or as measured.

    Devices without a row in `HARDWARE`, such as a CPU, multiply two matrices a few times; the
    fastest counts. None where no clock tells the time.

    Args:
        dtype: `float32` or `bfloat16`.
    """
    kind = jax.devices()[0].device_kind
    if name := next((name for word, name in KINDS.items() if word in kind), None):
        return HARDWARE[name].flops[dtype]
    product = jax.jit(jnp.matmul)
    matrix = jnp.ones((SIZE, SIZE), dtype)
    product(matrix, matrix).block_until_ready()
    spent = []
    for _ in range(TIMES):
        started = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        spent.append(time.perf_counter() - started)
    return 2 * SIZE**3 / min(spent) if min(spent) > 0.0 else None
