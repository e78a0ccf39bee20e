"""`RoPE`: rotary positions, by which products of queries and keys depend on distance."""

from typing import Annotated

import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.attention.qk import QKTransform
from blocks.core.bounds import positive
from blocks.core.typing import Array, Float, Int, typed
from blocks.positions.scalings import RoPEScaling


@typed
def turn(
    x: Float[Array, "batch seq heads head_dim"],
    angles: Float[Array, "#batch seq pairs"],
    interleaved: bool = False,
    magnitude: float = 1.0,
) -> Float[Array, "batch seq heads head_dim"]:
    """Rotate each pair of features by its token's angle; features past the pairs stay.

    A pair is features `i` and `i + pairs`, or, interleaved, features `2i` and `2i + 1`. Rotated
    features are multiplied by `magnitude`.
    """
    pairs = angles.shape[-1]
    cos = magnitude * jnp.cos(angles)[:, :, None]
    sin = magnitude * jnp.sin(angles)[:, :, None]
    turned, rest = x[..., : 2 * pairs].astype(jnp.float32), x[..., 2 * pairs :]
    if interleaved:
        first, second = turned[..., 0::2], turned[..., 1::2]
    else:
        first, second = turned[..., :pairs], turned[..., pairs:]
    new = (first * cos - second * sin, second * cos + first * sin)
    if interleaved:
        turned = jnp.stack(new, axis=-1).reshape(turned.shape)
    else:
        turned = jnp.concatenate(new, axis=-1)
    return jnp.concatenate([turned.astype(x.dtype), rest], axis=-1)


@typed
def rotate(
    x: Float[Array, "batch seq heads head_dim"],
    positions: Int[Array, "#batch seq"],
    frequencies: Float[Array, "pairs"],
    interleaved: bool = False,
    magnitude: float = 1.0,
) -> Float[Array, "batch seq heads head_dim"]:
    r"""Rotate pair $i$ of features by the angle $t\,\omega_i$; features past the pairs stay.

    A pair is features `i` and `i + pairs`, or, interleaved, features `2i` and `2i + 1`. Weights
    trained with one layout give wrong results, without an error, under the other. Rotated features
    are multiplied by `magnitude`.
    """
    # Angles in float32: bfloat16 cannot tell neighbouring positions apart past 256.
    angles = positions[..., None].astype(jnp.float32) * frequencies[None, None]
    return turn(x, angles, interleaved, magnitude)


class RoPE(QKTransform, kw_only=True):
    r"""Rotary positions: pairs of features of queries and keys, rotated in proportion to position.

    $$\begin{pmatrix} x_i' \\ x_j' \end{pmatrix} =
    \begin{pmatrix} \cos t\omega_i & -\sin t\omega_i \\ \sin t\omega_i & \cos t\omega_i
    \end{pmatrix} \begin{pmatrix} x_i \\ x_j \end{pmatrix}, \qquad \omega_i = \theta^{-2i/n}$$

    The product of a rotated query and key depends on their positions only by the distance. RoPE
    goes into the slot `position` of attention, or into `qk` if another transform must follow.

    Attributes:
        theta: base of the wavelengths; the longest is about $2\pi\theta$ tokens.
        fraction: share of each head's features to rotate, the first $n$ of them.
        interleaved: pair features 2i and 2i+1 (GPT-J, the paper) instead of i and i+n/2 (GPT-NeoX,
            Llama in `transformers`).
        scaling: scaling of the frequencies for texts longer than in training, such as `YaRN(...)`.

    Raises:
        ValueError: a base that is not positive, a fraction outside (0, 1], or an odd number of
            rotated features.

    Example:
        ```python
        >>> from blocks import Causal, MultiHeadAttention, RoPE
        >>> MultiHeadAttention(num_heads=4, position=RoPE(theta=500_000.0), mask=Causal()).position
        RoPE(theta=500000.0)

        ```

    References:
        Su et al., RoFormer, 2021, arXiv:2104.09864.
    """

    theta: Annotated[float, positive("; 10_000 is usual")] = 10_000.0
    fraction: float = 1.0
    interleaved: bool = False
    scaling: RoPEScaling | None = None

    def check_fields(self) -> None:
        """Validate the base and the fraction of rotated features."""
        if not 0.0 < self.fraction <= 1.0:
            raise ValueError(f"fraction={self.fraction} must be above 0 and at most 1.")

    @typed
    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        inputs: AttentionInputs,
    ) -> tuple[
        Float[Array, "batch q_seq heads head_dim"], Float[Array, "batch kv_seq kv_heads head_dim"]
    ]:
        """Rotate queries and keys by their positions."""
        turned = self.turn(query, inputs.query_at.positions)
        return turned, self.turn(key, inputs.key_at.positions)

    @typed
    def turn(
        self,
        x: Float[Array, "batch seq heads head_dim"],
        positions: Int[Array, "#batch seq"],
    ) -> Float[Array, "batch seq heads head_dim"]:
        """Rotate vectors of heads by their positions."""
        turning = int(x.shape[-1] * self.fraction)
        if turning % 2 or turning == 0:
            raise ValueError(
                f"head_dim={x.shape[-1]} with fraction={self.fraction} turns {turning} "
                "features, which are no pairs; make the number even."
            )
        exponents = jnp.arange(turning // 2, dtype=jnp.float32) * (2.0 / turning)
        frequencies = self.theta**-exponents
        magnitude = 1.0
        if self.scaling is not None:
            frequencies = self.scaling(frequencies, self.theta)
            magnitude = self.scaling.magnitude
        return rotate(x, positions, frequencies, self.interleaved, magnitude)
