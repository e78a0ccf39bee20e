"""GFLOP/s of a product of activations and weights and of its gradients, in the forms to write them.

    python benchmarks/probes/products.py

`x @ W` and its derivatives are what JAX makes of the plain product; `matrix_product` is what blocks
use. The others are its parts in bfloat16, with sums in float32.
"""

import argparse
import json
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from blocks.core import products


def over(a: Array, b: Array, axes: tuple[int, int]) -> Array:
    """Product over one axis of each, summed in float32."""
    dimensions = ((axes[:1], axes[1:]), ((), ()))
    return jax.lax.dot_general(a, b, dimensions, preferred_element_type=jnp.float32)


def of_x(product: Callable) -> Callable:
    return lambda x, w, g: jax.vjp(lambda x: product(x, w), x)[1](g)


def of_w(product: Callable) -> Callable:
    return lambda x, w, g: jax.vjp(lambda w: product(x, w), w)[1](g)


def plain(x: Array, w: Array) -> Array:
    return x @ w


FORMS: dict[str, Callable] = {
    "x @ W": lambda x, w, g: plain(x, w),
    "its dx": of_x(plain),
    "its dW": of_w(plain),
    "matrix_product": lambda x, w, g: products.matrix_product(x, w),
    "its dx'": of_x(products.matrix_product),
    "its dW'": of_w(products.matrix_product),
    "x W": lambda x, w, g: over(x, w, (1, 0)),
    "g W^T": lambda x, w, g: over(g, w, (1, 1)),
    "x^T g": lambda x, w, g: over(x, g, (0, 0)),
}


def rate(form: Callable, arrays: list[Array], calls: int) -> float:
    """The best rate of several calls, in GFLOP/s."""
    run = jax.jit(form)
    jax.block_until_ready(run(*arrays))
    best = float("inf")
    for _ in range(calls):
        start = time.perf_counter()
        jax.block_until_ready(run(*arrays))
        best = min(best, time.perf_counter() - start)
    x, w, _ = arrays
    return 2 * x.size * w.shape[1] / best / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--widths", type=int, nargs="*", default=[128, 384])
    parser.add_argument("--dtypes", nargs="*", default=["float32", "bfloat16"])
    parser.add_argument("--calls", type=int, default=10)
    arguments = parser.parse_args()
    print(f"JAX {jax.__version__}", flush=True)
    for width in arguments.widths:
        for shape in ((width, 4 * width), (4 * width, width)):
            for dtype in arguments.dtypes:
                sizes = (arguments.rows, shape[0]), shape, (arguments.rows, shape[1])
                arrays = [jnp.ones(size, dtype) for size in sizes]
                rates = {name: round(rate(f, arrays, arguments.calls)) for name, f in FORMS.items()}
                print(json.dumps({"shape": shape, "dtype": dtype, **rates}), flush=True)


if __name__ == "__main__":
    main()
