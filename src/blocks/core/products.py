"""Products of activations and weights, in the forms that a CPU is fast at.

`benchmarks/probes/products.py` and `benchmarks/probes/forms.py` measure the forms.
"""

import jax
import jax.numpy as jnp
from jax.experimental.layout import Layout, with_layout_constraint

from blocks.core.devices import platform
from blocks.core.typing import Array, Float, typed

# Products of fewer rows, as in decoding, need no form for their gradients.
FEW = 32


@typed
def matrix_product(
    x: Float[Array, "rows inputs"], kernel: Float[Array, "inputs outputs"]
) -> Float[Array, "rows outputs"]:
    """Multiply rows by a matrix of the same dtype, which is that of the result.

    In bfloat16 on a single CPU device and for 32 rows or more, forward mode (`jax.jvp`) is not
    defined, and the gradient cannot be exported (`jax.export`).
    """
    rows: object = x.shape[0]  # a symbol where shapes are exported
    alone = platform() == "cpu" and jax.device_count() == 1
    if not (alone and isinstance(rows, int) and x.dtype == kernel.dtype == jnp.bfloat16):
        return x @ kernel
    if rows >= FEW:
        return _rounded(x, kernel)
    return _product(_rows(x), kernel)[:rows].astype(x.dtype)


@typed
def table_product(
    x: Float[Array, "rows embed"], table: Float[Array, "vocab embed"]
) -> Float[Array, "rows vocab"]:
    """Multiply a few rows by all rows of a table of the same dtype, in float32."""
    if platform() == "cpu" and table.dtype == jnp.bfloat16:
        return _over_last(_rows(x), table)[: len(x)]
    if platform() == "cpu" and table.dtype == jnp.float32 and len(x) == 1:
        # With the table on the left XLA reads it as it is stored, at the speed of memory; on the
        # right a single row takes up to four times as long.
        return (table @ x.T).T
    return _over_last(x, table)


@jax.custom_vjp
def _rounded(x: Array, kernel: Array) -> Array:
    return _product(x, kernel).astype(x.dtype)


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    # Written out: a policy of `remat` cannot see the product inside `_rounded`.
    return _product(x, kernel).astype(x.dtype), (x, kernel)


def _backward(operands: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = operands
    of_x = _over_last(gradient, kernel)
    # The compiler has no fast routine for a product over the first axes of both operands, and
    # rewrites a product with a transpose as one, unless the transpose must be stored.
    if x.shape[1] <= gradient.shape[1]:
        of_kernel = _product(_stored(x.T), gradient)
    else:
        of_kernel = _stored(_product(_stored(gradient.T), x)).T
    return of_x.astype(x.dtype), of_kernel.astype(kernel.dtype)


_rounded.defvjp(_forward, _backward)


def _product(a: Array, b: Array) -> Array:
    return jax.lax.dot(a, b, preferred_element_type=jnp.float32)


def _over_last(a: Array, b: Array) -> Array:
    return jax.lax.dot_general(a, b, (((1,), (1,)), ((), ())), preferred_element_type=jnp.float32)


def _rows(x: Array) -> Array:
    """At least two rows: one would be multiplied without the instructions for bfloat16."""
    return jnp.pad(x, ((0, max(0, 2 - len(x))), (0, 0)))


def _stored(x: Array) -> Array:
    return with_layout_constraint(x, Layout(major_to_minor=(0, 1)))
