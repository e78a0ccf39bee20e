"""Sampling of token ids from logits."""

import jax
import jax.numpy as jnp

from recipes.generation.sampling import Sampling


def keep_top_k(logits: jax.Array, k: int) -> jax.Array:
    """Set all logits but the `k` largest to -inf; ties with the k-th stay too.

    Example:
        >>> keep_top_k(jnp.array([1.0, 3.0, 2.0]), 2).tolist()
        [-inf, 3.0, 2.0]
    """
    smallest = jax.lax.top_k(logits, min(k, logits.shape[-1]))[0][..., -1:]
    return jnp.where(logits < smallest, -jnp.inf, logits)


def keep_top_p(logits: jax.Array, p: float) -> jax.Array:
    r"""Set all logits to -inf but those of the fewest tokens with a total probability of `p`.

    Ordered by probability, token $i$ stays if $\sum_{j<i} p_j < p$, and so do ties with it.

    Example:
        >>> keep_top_p(jnp.log(jnp.array([0.2, 0.5, 0.3])), 0.6)[0].item()
        -inf

    References:
        Holtzman et al., The Curious Case of Neural Text Degeneration, 2019, arXiv:1904.09751.
    """
    ordered = jnp.sort(logits, axis=-1, descending=True)
    probabilities = jax.nn.softmax(ordered, axis=-1)
    before = jnp.cumsum(probabilities, axis=-1) - probabilities
    # The most probable token has nothing before it: it stays whatever p is.
    smallest = jnp.min(jnp.where(before < p, ordered, jnp.inf), axis=-1, keepdims=True)
    return jnp.where(logits < smallest, -jnp.inf, logits)


def keep_min_p(logits: jax.Array, p: float) -> jax.Array:
    r"""Set all logits to -inf but those of tokens with $p_i \ge p \max_j p_j$.

    Example:
        >>> keep_min_p(jnp.log(jnp.array([0.1, 0.6, 0.3])), 0.4)[0].item()
        -inf

    References:
        Nguyen et al., Turning Up the Heat: Min-p Sampling, 2024, arXiv:2407.01082.
    """
    smallest = jnp.max(logits, axis=-1, keepdims=True) + jnp.log(p)
    return jnp.where(logits < smallest, -jnp.inf, logits)


def penalize(logits: jax.Array, present: jax.Array, penalty: float) -> jax.Array:
    """Lower the logits of tokens that are `present`: divide positive ones, multiply negative ones.

    Example:
        >>> penalize(jnp.array([2.0, -2.0, 1.0]), jnp.array([True, True, False]), 2.0).tolist()
        [1.0, -4.0, 1.0]

    References:
        Keskar et al., CTRL, 2019, arXiv:1909.05858, section 4.1.
    """
    lowered = jnp.where(logits > 0, logits / penalty, logits * penalty)
    return jnp.where(present, lowered, logits)


def sample_token(
    key: jax.Array, logits: jax.Array, sampling: Sampling, present: jax.Array | None = None
) -> jax.Array:
    r"""Draw token ids from $\mathrm{softmax}(z / T)$, cut as the settings say.

    Args:
        key: Random key.
        logits: Logits, `[..., vocab]`.
        sampling: The settings.
        present: Which tokens the text has, `[..., vocab]`, for the repetition penalty.
    """
    if present is not None:
        logits = penalize(logits, present, sampling.repetition_penalty)
    if sampling.temperature == 0.0:
        return jnp.argmax(logits, axis=-1)
    logits = logits / sampling.temperature
    if sampling.top_k is not None:
        logits = keep_top_k(logits, sampling.top_k)
    if sampling.top_p is not None:
        logits = keep_top_p(logits, sampling.top_p)
    if sampling.min_p is not None:
        logits = keep_min_p(logits, sampling.min_p)
    return jax.random.categorical(key, logits, axis=-1)
