"""The two products of attention, head by head, in the form that is fast for the call."""

import jax
import jax.numpy as jnp

from blocks.core.devices import platform
from blocks.core.typing import Array, Float, typed


@typed
def query_key_products(
    query: Float[Array, "batch q_seq heads head_dim"],
    key: Float[Array, "batch kv_seq kv_heads head_dim"],
) -> Float[Array, "batch heads q_seq kv_seq"]:
    """Products of queries and keys in float32; heads share key heads in consecutive groups."""
    batch, q_seq, heads, head_dim = query.shape
    kv_seq, kv_heads = key.shape[1:3]
    grouped = query.reshape(batch, q_seq, kv_heads, heads // kv_heads, head_dim)
    if not _one_query(q_seq, kv_seq):
        products = jnp.einsum("bqkgd,bskd->bkgqs", grouped, key, preferred_element_type=jnp.float32)
        return products.reshape(batch, heads, q_seq, kv_seq)
    # One product with a block-diagonal matrix of queries, whose zeros separate the heads: a product
    # per head would copy all keys, transposed, for each new token.
    own = jnp.eye(kv_heads, dtype=query.dtype)[None, :, None, :, None]
    apart = jnp.moveaxis(grouped[:, 0], 3, 2)[..., None, :] * own
    apart = apart.reshape(batch, kv_heads * head_dim, heads)
    products = _product(key.reshape(batch, kv_seq, kv_heads * head_dim), apart)
    return jnp.swapaxes(products, 1, 2)[:, :, None]


@typed
def weighted_values(
    weights: Float[Array, "batch heads q_seq kv_seq"],
    value: Float[Array, "batch kv_seq kv_heads value_dim"],
) -> Float[Array, "batch q_seq heads value_dim"]:
    """Sums of values, weighted head by head; heads share value heads in consecutive groups."""
    batch, heads, q_seq, kv_seq = weights.shape
    kv_heads, value_dim = value.shape[2:]
    group = heads // kv_heads
    if not _one_query(q_seq, kv_seq):
        grouped = weights.reshape(batch, kv_heads, group, q_seq, kv_seq)
        mixed = jnp.einsum("bkgqs,bskd->bqkgd", grouped, value)
        return mixed.reshape(batch, q_seq, heads, value_dim)
    # Every head sums the values of all heads in one product, and keeps its own.
    sums = _product(weights[:, :, 0], value.reshape(batch, kv_seq, kv_heads * value_dim))
    sums = sums.reshape(batch, kv_heads, group, kv_heads, value_dim)
    own = jnp.eye(kv_heads, dtype=bool)[None, :, None, :, None]
    sums = jnp.where(own, sums, 0).sum(axis=3)
    return sums.astype(value.dtype).reshape(batch, 1, heads, value_dim)


def _product(a: Array, b: Array) -> Array:
    # The CPU compiler has no product of small matrices in bfloat16 with float32 sums.
    a, b = a.astype(jnp.float32), b.astype(jnp.float32)
    product = (a[0] @ b[0])[None] if len(a) == 1 else a @ b
    # Without the barrier XLA fuses it with the product that takes it, and computes it anew for each
    # tile of that.
    return jax.lax.optimization_barrier(product)


def _one_query(q_seq: int, kv_seq: int) -> bool:
    return q_seq == 1 and kv_seq > 1 and platform() == "cpu"
