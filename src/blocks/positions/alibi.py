"""`ALiBi`: a linear penalty on distance, with a rate per head."""

from typing import Any

import jax.numpy as jnp

from blocks.attention.scores import ScoreModification, distance
from blocks.context import Coordinates
from blocks.core.typing import Array, Float


def alibi_slopes(num_heads: int) -> tuple[float, ...]:
    r"""Compute the paper's rates: $2^{-8h/n}$ for a power of two $n$; for others, as in its code.

    With $m$ the power of two below $n$, the first $m$ are those of $m$ heads, and the rest every
    second one of $2m$ heads.
    """
    power = 1 << (num_heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * (head + 1) / power) for head in range(power)]
    between = [2.0 ** (-4.0 * (head + 1) / power) for head in range(0, 2 * power, 2)]
    return tuple(slopes + between[: num_heads - power])


class ALiBi(ScoreModification, kw_only=True):
    r"""ALiBi: a penalty on scores that is linear in distance, $s_{ij} - m_h \lvert i - j \rvert$.

    It has no parameters.

    Attributes:
        scale: factor on all penalties; Falcon has the scale of the scores.

    Example:
        ```python
        >>> from blocks import ALiBi, Causal, MultiHeadAttention
        >>> MultiHeadAttention(num_heads=4, scores=(ALiBi(),), mask=Causal()).scores
        (ALiBi(),)

        ```

    References:
        Press et al., Train Short, Test Long, 2021, arXiv:2108.12409.
    """

    scale: float = 1.0

    def modify(
        self,
        scores: Float[Array, "batch heads q_seq kv_seq"],
        parameters: Any,
        query_at: Coordinates,
        key_at: Coordinates,
    ) -> Float[Array, "batch heads q_seq kv_seq"]:
        """Subtract the distance of query and key, times the rate of the head."""
        slopes = jnp.asarray(alibi_slopes(scores.shape[1]), jnp.float32)[None, :, None, None]
        return scores - self.scale * slopes * distance(query_at, key_at)
