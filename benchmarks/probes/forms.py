"""GB/s of weights read by the ways to write a few rows times a matrix.

    python benchmarks/probes/forms.py --rows 1 2 16

The matrices of one run are more than the caches of most CPUs hold. `x @ W` is a projection, with
weights of inputs x outputs; `x @ E.T` is a tied head, with a row of weights for each output.
"""

import argparse
import functools
import json
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

F32 = jnp.float32


def padded(x: Array, rows: int) -> Array:
    return jnp.pad(x, ((0, max(0, rows - len(x))), (0, 0)))


def product(x: Array, w: Array) -> Array:
    return jnp.matmul(x, w, preferred_element_type=F32)


MATRIX: dict[str, Callable[[Array, Array], Array]] = {
    "x @ W": product,
    "2 rows": lambda x, w: product(padded(x, 2), w)[: len(x)],
    "4 rows": lambda x, w: product(padded(x, 4), w)[: len(x)],
    "8 rows": lambda x, w: product(padded(x, 8), w)[: len(x)],
    "(x * W).sum(0)": lambda x, w: (x.T[:, :, None] * w[:, None]).sum(0, dtype=F32),
    "float32 x @ W": lambda x, w: x.astype(F32) @ w.astype(F32),
}
TABLE: dict[str, Callable[[Array, Array], Array]] = {
    "x @ E.T": lambda x, e: product(x, e.T),
    "2 rows": lambda x, e: product(padded(x, 2), e.T)[: len(x)],
    "8 rows": lambda x, e: product(padded(x, 8), e.T)[: len(x)],
    "E @ x.T": lambda x, e: product(e, x.T).T,
    "E @ 2 rows": lambda x, e: product(e, padded(x, 2).T).T[: len(x)],
    "E @ 8 rows": lambda x, e: product(e, padded(x, 8).T).T[: len(x)],
    "(E * x).sum(-1)": lambda x, e: (x[:, None] * e[None]).sum(-1, dtype=F32),
}
SHAPES = {"x @ W": ((768, 768), (768, 3072), (3072, 768)), "x @ E.T": ((50257, 768), (768, 768))}


def chained(form: Callable, x: Array, matrices: list[Array], inputs: int) -> Array:
    """Products one after the other, each of the result before it."""
    for matrix in matrices:
        y = form(x, matrix).astype(x.dtype)
        repeats = -(-inputs // y.shape[1])
        x = jnp.tile(y, (1, repeats))[:, :inputs] * jnp.asarray(0.05, x.dtype)
    return x


def rate(form: Callable, x: Array, matrices: list[Array], inputs: int, calls: int) -> float:
    """The best rate of several calls, in GB/s."""
    run = jax.jit(functools.partial(chained, form, inputs=inputs))
    run(x, matrices).block_until_ready()
    best = float("inf")
    for _ in range(calls):
        start = time.perf_counter()
        run(x, matrices).block_until_ready()
        best = min(best, time.perf_counter() - start)
        if best > 1.0:
            break
    return sum(matrix.nbytes for matrix in matrices) / best / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1])
    parser.add_argument("--dtypes", nargs="*", default=["float32", "bfloat16"])
    parser.add_argument("--kinds", nargs="*", default=list(SHAPES))
    parser.add_argument("--megabytes", type=int, default=160, help="of matrices in a run")
    parser.add_argument("--calls", type=int, default=4)
    arguments = parser.parse_args()
    print(f"JAX {jax.__version__}", flush=True)
    for kind in arguments.kinds:
        for shape in SHAPES[kind]:
            for dtype in arguments.dtypes:
                size = shape[0] * shape[1] * jnp.dtype(dtype).itemsize
                count = max(1, min(24, arguments.megabytes * 10**6 // size))
                keys = jax.random.split(jax.random.key(0), count)
                matrices = [0.04 * jax.random.normal(key, shape, F32) for key in keys]
                matrices = [matrix.astype(dtype) for matrix in matrices]
                inputs = shape[0] if kind == "x @ W" else shape[1]
                for rows in arguments.rows:
                    x = jnp.ones((rows, inputs), dtype)
                    forms = MATRIX if kind == "x @ W" else TABLE
                    rates = {
                        name: round(rate(form, x, matrices, inputs, arguments.calls), 1)
                        for name, form in forms.items()
                    }
                    row = {"kind": kind, "shape": shape, "dtype": dtype, "rows": rows, **rates}
                    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
