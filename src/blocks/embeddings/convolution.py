"""`ConvolutionStem`: a long signal as a shorter sequence of vectors."""

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context, locate
from blocks.core.block import Block
from blocks.core.bounds import Size
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import AbsolutePosition
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear
from blocks.mlp.activations import gelu


class ConvolutionStem(Block, kw_only=True):
    r"""Convolution stem: two convolutions along time, the second of stride 2, each with a GELU.

    $$y = \mathrm{gelu}(\mathrm{conv}_2(\mathrm{gelu}(\mathrm{conv}_1(x))))$$

    Filters span three steps, with zero padding; `seq` steps become `(seq + 1) // 2`.

    Attributes:
        features: width of a vector.
        position: absolute positions to add to the result; None for none.
        dtype: dtype of the computation; None infers it from input and parameters.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the filters.

    Raises:
        ValueError: a width below 1, or a call with documents or a cache.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import ConvolutionStem, SinusoidalPositions
        >>> stem = ConvolutionStem(features=16, position=SinusoidalPositions())
        >>> spectrum = jnp.ones((2, 30, 80))           # batch, time, frequency bins
        >>> jax.jit(stem.init_with_output)(jax.random.key(0), spectrum)[0].shape
        (2, 15, 16)

        ```

    References:
        Radford et al., Whisper, 2022, arXiv:2212.04356, section 2.2.
    """

    features: Size
    position: AbsolutePosition | None = None
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq channels"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch out_seq {self.features}"]:
        """Convolve the signal; `context` describes the resulting tokens."""
        context = Context() if context is None else context
        if context.cache_size is not None:
            raise ValueError(
                "ConvolutionStem reads a signal as a whole, and no cache keeps the end of one call "
                "for the next; leave cache_size out of the context."
            )
        if context.segment_ids is not None:
            raise ValueError(
                "segment_ids of the context: ConvolutionStem mixes neighbours, of any document; "
                "give it whole signals, one a row."
            )
        out_seq = (x.shape[1] + 1) // 2
        context.check(len(x), out_seq)
        for name, stride in {"first": 1, "second": 2}.items():
            if context.valid is not None:  # padding counts as zeros, as beyond the ends
                real = jnp.repeat(context.valid, 2, axis=1)[:, : x.shape[1], None]
                x = jnp.where(real, x, 0.0)
            x = gelu(self._convolve(name, stride, x))
        if self.position is None:
            return x
        return self.position(x, locate(context, len(x), out_seq).positions).astype(x.dtype)

    def _convolve(self, name: str, stride: int, x: Array) -> Array:
        # One matrix product of the three steps under the filter, side by side.
        padded = jnp.pad(x, ((0, 0), (1, 1), (0, 0)))
        seq = x.shape[1]
        steps = [padded[:, step : step + seq : stride] for step in range(3)]
        return Linear(
            features=(self.features,),
            axes=2,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name=name,
        )(jnp.stack(steps, axis=2))
