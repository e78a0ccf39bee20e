"""Sinusoidal absolute positions, without parameters."""

import jax.numpy as jnp

from blocks.core.block import Block
from blocks.core.typing import Array, Dtype, Float, Int, typed


@typed
def sinusoids(
    positions: Int[Array, "#batch seq"], features: int, max_wavelength: float = 10_000.0
) -> Float[Array, "#batch seq {features}"]:
    r"""Compute $P_{t,2i} = \sin(t\,\theta^{-2i/n})$ and $P_{t,2i+1} = \cos(t\,\theta^{-2i/n})$."""
    pairs = jnp.arange((features + 1) // 2, dtype=jnp.float32)
    frequencies = max_wavelength ** (-2.0 * pairs / features)
    angles = positions[..., None].astype(jnp.float32) * frequencies[None, None]
    waves = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
    return waves.reshape(*positions.shape, -1)[..., :features]


class SinusoidalPositions(Block, kw_only=True):
    r"""Sinusoidal positions: sines and cosines at wavelengths from $2\pi$ to $2\pi\theta$.

    $$y_{t,2i} = x_{t,2i} + \sin(t\,\theta^{-2i/n}), \qquad
    y_{t,2i+1} = x_{t,2i+1} + \cos(t\,\theta^{-2i/n})$$

    Sines and cosines are interleaved, as in the paper; there are no parameters and no maximum
    length.

    Attributes:
        max_wavelength: the base $\theta$ of the wavelengths.
        dtype: dtype of the result; None keeps the input's. Angles are float32 always.

    Raises:
        ValueError: a base that is not positive.

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

    max_wavelength: float = 10_000.0
    dtype: Dtype | None = None

    def check_fields(self) -> None:
        """Validate the base."""
        if self.max_wavelength <= 0:
            raise ValueError(f"max_wavelength={self.max_wavelength} must be positive.")

    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], positions: Int[Array, "#batch seq"]
    ) -> Float[Array, "batch seq embed"]:
        """Add the sines and cosines of its position to each token."""
        dtype = self.dtype or x.dtype
        waves = sinusoids(positions, x.shape[-1], self.max_wavelength)
        return x.astype(dtype) + waves.astype(dtype)
