"""Sinusoidal absolute positions, without parameters."""

from typing import Annotated

import jax.numpy as jnp

from blocks.core.block import Block
from blocks.core.bounds import at_least, positive
from blocks.core.typing import Array, Dtype, Float, Int, typed


@typed
def sinusoids(
    positions: Int[Array, "#batch seq"],
    features: int,
    max_wavelength: float = 10_000.0,
    interleaved: bool = True,
    endpoint: bool = False,
) -> Float[Array, "#batch seq {features}"]:
    r"""Compute $\sin(t\,\theta^{-i/k})$ and $\cos(t\,\theta^{-i/k})$ for each pair $i$ of features.

    $k = n/2$, or $k = n/2 - 1$ with `endpoint`.
    """
    pairs = jnp.arange((features + 1) // 2, dtype=jnp.float32)
    step = 1.0 / max(len(pairs) - 1, 1) if endpoint else 2.0 / features
    frequencies = max_wavelength ** (-step * pairs)
    angles = positions[..., None].astype(jnp.float32) * frequencies[None, None]
    waves = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1 if interleaved else -2)
    return waves.reshape(*positions.shape, -1)[..., :features]


class SinusoidalPositions(Block, kw_only=True):
    r"""Sinusoidal positions: sines and cosines at wavelengths from $2\pi$ to $2\pi\theta$.

    $$y_{t,2i} = x_{t,2i} + \sin(t\,\theta^{-2i/n}), \qquad
    y_{t,2i+1} = x_{t,2i+1} + \cos(t\,\theta^{-2i/n})$$

    Sines and cosines are interleaved, as in the paper; there are no parameters and no maximum
    length.

    Attributes:
        max_wavelength: the base $\theta$ of the wavelengths.
        interleaved: alternate sines and cosines; False puts all sines before all cosines, as
            Marian does.
        endpoint: divide exponents by $n/2 - 1$ instead of $n/2$, so that the last wavelength is
            exactly $2\pi\theta$, as in Whisper.
        offset: position of the first token; XGLM has 2.
        dtype: dtype of the result; None keeps the input's. Angles are float32 always.

    Raises:
        ValueError: a base that is not positive, or a negative offset.

    Example:
        ```python
        >>> import jax.numpy as jnp
        >>> from blocks import SinusoidalPositions
        >>> x = jnp.zeros((1, 2, 4))
        >>> SinusoidalPositions().apply({}, x, jnp.arange(2)[None])[0, 0]
        Array([0., 1., 0., 1.], dtype=float32)

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.5.
    """

    max_wavelength: Annotated[float, positive()] = 10_000.0
    interleaved: bool = True
    endpoint: bool = False
    offset: Annotated[int, at_least(0, ", the first position")] = 0
    dtype: Dtype | None = None

    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], positions: Int[Array, "#batch seq"]
    ) -> Float[Array, "batch seq embed"]:
        """Add the sines and cosines of its position to each token."""
        dtype = self.dtype or x.dtype
        rule = (self.max_wavelength, self.interleaved, self.endpoint)
        waves = sinusoids(positions + self.offset, x.shape[-1], *rule)
        return x.astype(dtype) + waves.astype(dtype)
