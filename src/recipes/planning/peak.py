"""The arithmetic that the devices at hand can do at most."""

import functools
import time

import jax
import jax.numpy as jnp

from recipes.planning.hardware import HARDWARE

# Devices by the whole of `device_kind`: others, whose figures differ, have names that begin alike,
# such as H100 PCIe and NVL, slices of a GPU ("NVIDIA H100 80GB HBM3 MIG 1g.10gb") and TPU v5e
# ("TPU v5 lite"). Names of GPUs are those of NVIDIA's driver; the data sheet of A100 has the same
# figures for all its forms. Names of TPUs are those in JAX's own table (pallas/mosaic/tpu_info.py).
KINDS = {
    "NVIDIA A100-SXM4-40GB": "a100",
    "NVIDIA A100-SXM4-80GB": "a100",
    "NVIDIA A100-PCIE-40GB": "a100",
    "NVIDIA A100 80GB PCIe": "a100",
    "NVIDIA H100 80GB HBM3": "h100",
    "NVIDIA H200": "h200",
    "TPU v5": "tpu-v5p",
    "TPU v5p": "tpu-v5p",
}
# Rows and columns of the product that is measured on a CPU, and how often.
SIZE, TIMES = 512, 5


@functools.cache
def peak_flops(dtype: str) -> float | None:
    """Operations per second of one device in matrix products, by its data sheet or as measured.

    A CPU multiplies two matrices a few times; the fastest counts, and the devices that it simulates
    share it. None for other devices, and where the clock does not advance.

    Args:
        dtype: `float32` or `bfloat16`.
    """
    device = jax.local_devices()[0]
    if device.platform != "cpu":
        name = KINDS.get(device.device_kind)
        return None if name is None else HARDWARE[name].flops[dtype]
    product = jax.jit(jnp.matmul)
    matrix = jnp.ones((SIZE, SIZE), dtype)
    product(matrix, matrix).block_until_ready()
    spent = []
    for _ in range(TIMES):
        started = time.perf_counter()
        product(matrix, matrix).block_until_ready()
        spent.append(time.perf_counter() - started)
    if min(spent) <= 0.0:
        return None
    return 2 * SIZE**3 / min(spent) / jax.local_device_count()
