"""The delta rule with a decay for each feature of the keys, as a pure function."""

import jax
import jax.numpy as jnp

from blocks.core.typing import Array, Float, Int, typed
from blocks.recurrent.chunking import join, link, split


@typed
def feature_delta_rule(
    query: Float[Array, "batch seq heads head_dim"],
    key: Float[Array, "batch seq heads head_dim"],
    value: Float[Array, "batch seq heads value_dim"],
    log_decay: Float[Array, "batch seq heads head_dim"],
    beta: Float[Array, "batch seq heads"],
    runs: Int[Array, "batch seq"],
    state: Float[Array, "batch heads head_dim value_dim"] | None = None,
    chunk_size: int = 16,
) -> tuple[
    Float[Array, "batch seq heads value_dim"], Float[Array, "batch heads head_dim value_dim"]
]:
    r"""Read $y_t = S_t^\top q_t$ from a state whose rows each decay at a rate of their own.

    $$S_t = \left(I - \beta_t k_t k_t^\top\right) \mathrm{diag}(\alpha_t)\, S_{t-1}
    + \beta_t k_t v_t^\top$$

    As `gated_delta_rule`, it solves one triangular system per chunk. The decay between two tokens
    is then a vector, so that a chunk computes `chunk_size**2 * head_dim` of them for each head; the
    backward pass computes them again instead of keeping them.

    Args:
        query: queries, which read the state.
        key: keys of unit length, under which tokens write.
        value: values to write.
        log_decay: $\log \alpha_t$, at most 0; 0 for padding.
        beta: fraction $\beta_t$ of the old value that is replaced; 0 for padding.
        runs: number of each token's document, 0 for the one that `state` holds.
        state: state after the tokens before; None where there are none.
        chunk_size: number of tokens in a chunk.

    Returns:
        The result $y$, and the state after the last token.

    References:
        Kimi Team, Kimi Linear, 2025, arXiv:2510.26692, section 3.
    """
    from jax.scipy.linalg import solve_triangular  # takes long to import

    batch, seq, heads, head_dim = query.shape
    if state is None:
        state = jnp.zeros((batch, heads, head_dim, value.shape[-1]))
    size = max(1, min(chunk_size, seq))
    arrays = (query, key, value, log_decay, beta[..., None])
    # Heads before tokens, for products of matrices.
    arrays = [jnp.moveaxis(split(x.astype(jnp.float32), size), 3, 2) for x in arrays]

    @jax.checkpoint
    def step(state: Array, chunk: tuple[Array, ...]) -> tuple[Array, Array]:
        query, key, value, log_decay, beta, within, carried, kept, whole = chunk
        total = jnp.cumsum(log_decay, axis=-2)
        last = total[..., -1:, :]
        linked = within[:, None, :, :, None]
        # Differences of totals: the factors alone, exp(total) and exp(-total), would overflow.
        # Masked before the exponential, which would overflow on the pairs that are not linked.
        since = total[..., :, None, :] - total[..., None, :, :]
        decay = jnp.where(linked, jnp.exp(jnp.where(linked, since, 0.0)), 0.0)
        from_start = jnp.where(carried[:, None, :, None], jnp.exp(total), 0.0)
        to_end = jnp.where(kept[:, None, :, None], jnp.exp(last - total), 0.0)
        lasting = jnp.where(whole[:, None, None, None], jnp.exp(last), 0.0)

        system = jnp.tril(beta * jnp.einsum("bhtd,bhsd,bhtsd->bhts", key, key, decay), k=-1)
        sides = beta * (value - (from_start * key) @ state)
        written = solve_triangular(system, sides, lower=True, unit_diagonal=True)
        read = jnp.einsum("bhtd,bhsd,bhtsd->bhts", query, key, decay)
        out = (from_start * query) @ state + read @ written
        state = jnp.swapaxes(lasting, -1, -2) * state
        return state + jnp.swapaxes(to_end * key, -1, -2) @ written, out

    state, out = jax.lax.scan(step, state.astype(jnp.float32), (*arrays, *link(runs, size)))
    return join(jnp.moveaxis(out, 2, 3), seq), state
