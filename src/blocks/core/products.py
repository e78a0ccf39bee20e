"""Products of activations and weights, in the forms that a CPU is fast at.

Other devices, and several, get the plain product. `benchmarks/probes/products.py` and
`benchmarks/probes/forms.py` measure the forms.
"""

import jax
import jax.numpy as jnp
from jax.experimental.layout import Layout, with_layout_constraint

from blocks.core.devices import platform
from blocks.core.typing import Array, Float, typed

# Fewer rows are those of tokens in decoding.
FEW = 32


@typed
def matrix_product(
    x: Float[Array, "rows inputs"], kernel: Float[Array, "inputs outputs"]
) -> Float[Array, "rows outputs"]:
    """Multiply rows by a matrix of the same dtype, which is that of the result.

    In bfloat16 on a single CPU device, forward mode (`jax.jvp`) is not defined for 32 rows or more.
    """
    alone = platform() == "cpu" and jax.device_count() == 1
    if not (alone and x.dtype == kernel.dtype == jnp.bfloat16):
        return x @ kernel
    if len(x) >= FEW:
        return _rounded(x, kernel)
    return _product(_rows(x), kernel)[: len(x)].astype(x.dtype)


@typed
def table_product(
    x: Float[Array, "rows embed"], table: Float[Array, "vocab embed"]
) -> Float[Array, "rows vocab"]:
    """Multiply a few rows by all rows of a table of the same dtype, in float32."""
    if platform() != "cpu":
        return _over_last(x, table)
    if table.dtype == jnp.bfloat16:
        return _over_last(_rows(x), table)[: len(x)]
    # With the table on the left XLA reads it as it is stored, at the speed of memory; on the right
    # a single row takes up to four times as long.
    return (table @ x.T).T if len(x) == 1 else _over_last(x, table)


@jax.custom_vjp
def _rounded(x: Array, kernel: Array) -> Array:
    return _product(x, kernel).astype(x.dtype)


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    # Not by `_rounded`, in which a policy of `remat` would not see the product.
    return _product(x, kernel).astype(x.dtype), (x, kernel)


def _backward(operands: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = operands
    of_x = _over_last(gradient, kernel)
    # The compiler has no fast routine for a product over the first axes of both operands, and makes
    # one of the product with a transpose, unless that must be stored. The narrower is transposed.
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
