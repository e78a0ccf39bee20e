"""ALiBi: attention fades with distance, each head at a rate of its own."""

import jax.numpy as jnp

from blocks.attention.kernels import ScoreFunction
from blocks.attention.slots import ScoreModification
from blocks.context import Context, Coordinates
from blocks.core.typing import Array, Float


def alibi_slopes(num_heads: int) -> tuple[float, ...]:
    r"""The rates of the paper: $2^{-8h/n}$ for a power of two $n$; for others, as its code does.

    With $m$ the power of two below $n$, the first $m$ are those of $m$ heads, and the rest every
    second one of $2m$ heads.
    """
    power = 1 << (num_heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * (head + 1) / power) for head in range(power)]
    between = [2.0 ** (-4.0 * (head + 1) / power) for head in range(0, 2 * power, 2)]
    return tuple(slopes + between[: num_heads - power])


class ALiBi(ScoreModification, kw_only=True):
    r"""Takes from each score in proportion to distance: $s_{ij} - m_h \lvert i - j \rvert$.

    It has no parameters, and stands in the slot `position` of attention.

    Example:
        ```python
        >>> from blocks import ALiBi, Causal, MultiHeadAttention
        >>> MultiHeadAttention(num_heads=4, position=ALiBi(), mask=Causal()).position
        ALiBi()

        ```

    References:
        Press et al., Train Short, Test Long, 2021, arXiv:2108.12409.
    """

    def __call__(self, num_heads: int, context: Context | None = None) -> ScoreFunction:
        """Changes scores by the positions of query and key."""
        slopes = jnp.asarray(alibi_slopes(num_heads), jnp.float32)[None, :, None, None]

        def faded(scores: Array, query_at: Coordinates, key_at: Coordinates) -> Array:
            return scores - slopes * _distance(query_at, key_at)

        return faded


def _distance(query_at: Coordinates, key_at: Coordinates) -> Float[Array, "#batch 1 q_seq kv_seq"]:
    steps = query_at.positions[:, None, :, None] - key_at.positions[:, None, None, :]
    return jnp.abs(steps).astype(jnp.float32)
