"""The gated delta rule as a pure function: a state that decays and is corrected by tokens."""

import jax
import jax.numpy as jnp

from blocks.core.typing import Array, Float, Int, typed
from blocks.recurrent.chunking import join, link, split


@typed
def gated_delta_rule(
    query: Float[Array, "batch seq heads head_dim"],
    key: Float[Array, "batch seq heads head_dim"],
    value: Float[Array, "batch seq heads value_dim"],
    log_decay: Float[Array, "batch seq heads"],
    beta: Float[Array, "batch seq heads"],
    runs: Int[Array, "batch seq"],
    state: Float[Array, "batch heads head_dim value_dim"] | None = None,
    chunk_size: int = 64,
) -> tuple[
    Float[Array, "batch seq heads value_dim"], Float[Array, "batch heads head_dim value_dim"]
]:
    r"""Read $y_t = S_t^\top q_t$ from a state that each token corrects, in float32.

    $$S_t = \alpha_t \left(I - \beta_t k_t k_t^\top\right) S_{t-1} + \beta_t k_t v_t^\top$$

    With $u_t = \beta_t (v_t - \alpha_t S_{t-1}^\top k_t)$ a token adds $k_t u_t^\top$ to the
    decayed state. Within a chunk all $u$ solve one triangular system, so that most time is spent in
    matrix products; between chunks only the state is passed on.

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
        Yang et al., Gated Delta Networks, 2024, arXiv:2412.06464, section 3.
        Yang et al., Parallelizing Linear Transformers with the Delta Rule, 2024, arXiv:2406.06484.
    """
    from jax.scipy.linalg import solve_triangular  # takes long to import

    batch, seq, heads, head_dim = query.shape
    if state is None:
        state = jnp.zeros((batch, heads, head_dim, value.shape[-1]))
    size = max(1, min(chunk_size, seq))
    arrays = (query, key, value, log_decay[..., None], beta[..., None])
    # Heads before tokens, for products of matrices.
    arrays = [jnp.moveaxis(split(x.astype(jnp.float32), size), 3, 2) for x in arrays]
    query, key, value, log_decay, beta = arrays
    within, carried, kept, whole = link(runs, size)

    total = jnp.cumsum(log_decay, axis=-2)
    since = total - jnp.swapaxes(total, -1, -2)
    within = within[:, :, None]
    # Masked before the exponential, which would overflow on the pairs that are not linked.
    decay = jnp.where(within, jnp.exp(jnp.where(within, since, 0.0)), 0.0)
    from_start = jnp.where(carried[:, :, None, :, None], jnp.exp(total), 0.0)
    to_end = jnp.where(kept[:, :, None, :, None], jnp.exp(total[..., -1:, :] - total), 0.0)
    lasting = jnp.where(whole[:, :, None, None, None], jnp.exp(total[..., -1:, :]), 0.0)

    across = jnp.swapaxes(key, -1, -2)
    system = jnp.tril(beta * decay * (key @ across), k=-1)
    sides = jnp.concatenate([beta * value, beta * from_start * key], axis=-1)
    solved = solve_triangular(system, sides, lower=True, unit_diagonal=True)
    written, corrected = solved[..., : value.shape[-1]], solved[..., value.shape[-1] :]
    read = decay * (query @ across)

    def step(state: Array, chunk: tuple[Array, ...]) -> tuple[Array, Array]:
        query, read, written, corrected, key, lasting = chunk
        written = written - corrected @ state
        out = query @ state + read @ written
        return lasting * state + jnp.swapaxes(key, -1, -2) @ written, out

    chunks = (from_start * query, read, written, corrected, to_end * key, lasting)
    state, out = jax.lax.scan(step, state.astype(jnp.float32), chunks)
    return join(jnp.moveaxis(out, 2, 3), seq), state
