"""Linear attention as pure functions: products of features instead of a softmax."""

import jax
import jax.numpy as jnp

from blocks.core.typing import Array, Bool, Float, Int, typed
from blocks.recurrent.chunking import join, link, split

# Below it a row of weights counts as empty. Products of Hedgehog's features are tiny where
# they disagree, so it is far smaller than the 1e-6 that is usual with ELU features.
SMALLEST_SUM = 1e-12


@typed
def causal_sums(
    query: Float[Array, "batch seq heads features"],
    key: Float[Array, "batch seq kv_heads features"],
    value: Float[Array, "batch seq kv_heads value_dim"],
    runs: Int[Array, "batch seq"],
    state: Float[Array, "batch kv_heads features value_dim"] | None = None,
    chunk_size: int = 64,
    itself: bool = True,
) -> tuple[
    Float[Array, "batch seq heads value_dim"], Float[Array, "batch kv_heads features value_dim"]
]:
    r"""Sum values weighted by products of features: $y_t = q_t^\top S_t$, in float32.

    $$S_t = S_{t-1} + k_t v_t^\top$$

    The sum starts from `state`, or from zero where a document begins. Within a chunk all products
    are computed; between chunks only the state is passed on.

    Args:
        query: features of queries; query heads share key heads in consecutive groups.
        key: features of keys.
        value: values to sum; zeros for padding.
        runs: number of each token's document, 0 for the one that `state` holds.
        state: state after the tokens before; None where there are none.
        chunk_size: number of tokens whose products are computed at once.
        itself: include each token's own value in its sum.

    Returns:
        The sums, and the state after the last token.
    """
    batch, seq, heads, features = query.shape
    kv_heads, value_dim = value.shape[2:]
    if state is None:
        state = jnp.zeros((batch, kv_heads, features, value_dim))
    size = max(1, min(chunk_size, seq))
    query = query.reshape(batch, seq, kv_heads, heads // kv_heads, features)
    arrays = [split(x.astype(jnp.float32), size) for x in (query, key, value)]

    def step(state: Array, chunk: tuple[Array, ...]) -> tuple[Array, Array]:
        query, key, value, within, carried, kept, whole = chunk
        products = jnp.einsum("bqgrf,bsgf->bgrqs", query, key)
        products = jnp.where(within[:, None, None], products, 0.0)
        sums = jnp.einsum("bgrqs,bsgd->bqgrd", products, value)
        query = jnp.where(carried[..., None, None, None], query, 0.0)
        sums += jnp.einsum("bqgrf,bgfd->bqgrd", query, state)
        key = jnp.where(kept[..., None, None], key, 0.0)
        state = jnp.where(whole[:, None, None, None], state, 0.0)
        return state + jnp.einsum("bsgf,bsgd->bgfd", key, value), sums

    state, sums = jax.lax.scan(
        step, state.astype(jnp.float32), (*arrays, *link(runs, size, itself))
    )
    return join(sums, seq).reshape(batch, seq, heads, value_dim), state


@typed
def full_sums(
    query: Float[Array, "batch seq heads features"],
    key: Float[Array, "batch seq kv_heads features"],
    value: Float[Array, "batch seq kv_heads value_dim"],
    runs: Int[Array, "batch seq"] | None,
    chunk_size: int,
) -> Float[Array, "batch seq heads value_dim"]:
    r"""Sum the values of all tokens, later ones included: $y_t = q_t^\top \sum_s k_s v_s^\top$.

    Args:
        query: features of queries; query heads share key heads in consecutive groups.
        key: features of keys.
        value: values to sum; zeros for padding.
        runs: number of each token's document, which it stays in; None where there is one.
        chunk_size: number of tokens whose products are computed at once if there are documents.
    """
    batch, seq, heads, features = query.shape
    kv_heads, value_dim = value.shape[2:]
    if runs is not None:
        # Earlier tokens, and later ones by a pass in reverse.
        before = causal_sums(query, key, value, runs, None, chunk_size)[0]
        query, key, value, runs = (jnp.flip(x, axis=1) for x in (query, key, value, runs))
        after = causal_sums(query, key, value, runs, None, chunk_size, itself=False)[0]
        return before + jnp.flip(after, axis=1)
    query, key, value = (x.astype(jnp.float32) for x in (query, key, value))
    query = query.reshape(batch, seq, kv_heads, heads // kv_heads, features)
    state = jnp.einsum("bsgf,bsgd->bgfd", key, value)
    return jnp.einsum("bqgrf,bgfd->bqgrd", query, state).reshape(batch, seq, heads, value_dim)


@typed
def counted(
    value: Float[Array, "batch seq kv_heads value_dim"], valid: Bool[Array, "batch seq"] | None
) -> Float[Array, "batch seq kv_heads value_dim_and_one"]:
    """Append a 1 to each value, so that sums include the total weight; zeros for padding."""
    value = jnp.concatenate([value, jnp.ones_like(value[..., :1])], axis=-1)
    return value if valid is None else jnp.where(valid[..., None, None], value, 0.0)


@typed
def averaged(
    sums: Float[Array, "batch seq heads value_dim_and_one"],
) -> Float[Array, "batch seq heads value_dim"]:
    """Divide the sums by the total weight; zeros where that is empty."""
    return sums[..., :-1] / jnp.maximum(sums[..., -1:], SMALLEST_SUM)


@typed
def linear_weights(
    query: Float[Array, "batch q_seq heads features"],
    key: Float[Array, "batch kv_seq kv_heads features"],
    visible: Bool[Array, "#batch 1 #q_seq kv_seq"] | None = None,
) -> Float[Array, "batch heads q_seq kv_seq"]:
    r"""Compute the weights of linear attention, $\phi(q)^\top \phi(k)$ over their sum."""
    products = products_of(query, key)
    products = products if visible is None else jnp.where(visible, products, 0.0)
    return products / jnp.maximum(products.sum(axis=-1, keepdims=True), SMALLEST_SUM)


@typed
def products_of(
    query: Float[Array, "batch q_seq heads features"],
    key: Float[Array, "batch kv_seq kv_heads features"],
) -> Float[Array, "batch heads q_seq kv_seq"]:
    """Compute all products of queries and keys, in float32."""
    batch, q_seq, heads, features = query.shape
    kv_heads = key.shape[2]
    query = query.reshape(batch, q_seq, kv_heads, heads // kv_heads, features)
    products = jnp.einsum("bqgrf,bsgf->bgrqs", query, key, preferred_element_type=jnp.float32)
    return products.reshape(batch, heads, q_seq, key.shape[1])
