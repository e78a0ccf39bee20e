"""`ShortConvolution`: a causal depthwise convolution over the last few tokens."""

import math
from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import at_least
from blocks.core.initializers import VarianceScaling
from blocks.core.typing import Array, Dtype, Float, Initializer, Int, typed
from blocks.recurrent.state import recall, remember

TORCH_UNIFORM = VarianceScaling(scale=1 / 3, mode="fan_in", distribution="uniform")


@typed
def causal_convolution(
    x: Float[Array, "batch all_seq channels"],
    kernel: Float[Array, "width channels"],
    segment_ids: Int[Array, "batch all_seq"] | None,
) -> Float[Array, "batch seq channels"]:
    r"""Convolve each feature with its past: $y_t = \sum_{j < w} w_{w-1-j} \odot x_{t-j}$.

    Args:
        x: tokens, preceded by the `width - 1` tokens before them.
        kernel: weights $w$; the last row is that of the token itself.
        segment_ids: document of each token of `x`, which it stays in; None where there is one.
    """
    width, dtype = kernel.shape[0], x.dtype
    seq = x.shape[1] - width + 1
    # Sums in bfloat16 are less exact, and on a CPU those of the kernel's gradient take ten times
    # as long.
    wide = jnp.promote_types(dtype, jnp.float32)
    x, kernel = x.astype(wide), kernel.astype(wide)
    total = jnp.zeros_like(x[:, :seq])
    for place in range(width):
        earlier = x[:, place : place + seq]
        if segment_ids is not None:
            same = segment_ids[:, place : place + seq] == segment_ids[:, width - 1 :]
            earlier = jnp.where(same[..., None], earlier, 0.0)
        total += earlier * kernel[place][None, None]
    return total.astype(dtype)


class ShortConvolution(Block, kw_only=True):
    r"""Short convolution: causal and depthwise, over the last few tokens of a document.

    $$y_t = b + \sum_{j=0}^{w-1} w_{w-1-j} \odot x_{t-j}$$

    Padding is skipped wherever it is: each token is convolved with real ones only. A cache keeps
    the last $w - 1$ of them.

    Attributes:
        width: number $w$ of tokens, including the token itself.
        use_bias: learn a bias $b$.
        dtype: dtype of the computation; None infers it from input and parameters.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the weights, width x features.

    Raises:
        ValueError: a width below 1.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks.recurrent import ShortConvolution
        >>> x = jnp.ones((1, 5, 4, 8))                     # heads are features too
        >>> _, variables = ShortConvolution().init_with_output(jax.random.key(0), x)
        >>> variables["params"]["kernel"].shape
        (4, 4, 8)

        ```

    References:
        Fu et al., Hungry Hungry Hippos, 2022, arXiv:2212.14052.
        Yang et al., Gated Delta Networks, 2024, arXiv:2412.06464, section 3.
    """

    width: Annotated[int, at_least(1, ", the token itself")] = 4
    use_bias: bool = False
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = TORCH_UNIFORM

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq channels *more"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq channels *more"]:
        """Convolve each feature independently; `deterministic` is not used."""
        kernel = self.param(
            "kernel", self.kernel_init, (self.width, *x.shape[2:]), self.param_dtype
        )
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, x.shape[2:], self.param_dtype)
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        channels = math.prod(x.shape[2:])
        flat = x.reshape(*x.shape[:2], channels)
        mixed = self._mix(flat, kernel.reshape(self.width, channels), context)
        mixed = mixed if bias is None else mixed + bias.reshape(1, 1, -1)
        return mixed.reshape(x.shape)

    def _mix(self, x: Array, kernel: Array, context: Context | None) -> Array:
        batch, seq, channels = x.shape
        back = self.width - 1
        past, at = recall(self, "window", context, batch, seq, kept=back)
        window = jnp.zeros((batch, back, channels), x.dtype) if past.state is None else past.state

        # Real tokens first, in order, so that the tokens before each token are real.
        order = None if at.valid is None else jnp.argsort(~at.valid, axis=1, stable=True)
        segment_ids = (
            jnp.zeros((batch, seq), jnp.int32) if at.segment_ids is None else at.segment_ids
        )
        if order is not None:
            x = jnp.take_along_axis(x, order[..., None], axis=1)
            segment_ids = jnp.take_along_axis(segment_ids, order, axis=1)
        x = jnp.concatenate([window.astype(x.dtype), x], axis=1)
        segment_ids = jnp.concatenate([past.segment_ids, segment_ids.astype(jnp.int32)], axis=1)
        mixed = causal_convolution(x, kernel, None if at.segment_ids is None else segment_ids)

        if context is not None and context.cache_size is not None:
            last = jnp.arange(back, dtype=jnp.int32)[None] + seq
            if at.valid is not None:
                last = last - seq + at.valid.sum(axis=1, keepdims=True, dtype=jnp.int32)
            last = jnp.broadcast_to(last, (batch, back))
            window = jnp.take_along_axis(x, last[..., None], axis=1)
            segment_ids = jnp.take_along_axis(segment_ids, last, axis=1)
            remember(self, "window", context, past.after(at, window, segment_ids))
        if order is None:
            return mixed
        return jnp.take_along_axis(mixed, jnp.argsort(order, axis=1)[..., None], axis=1)
