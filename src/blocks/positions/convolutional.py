"""`ConvolutionalPositions`: relative positions by a wide convolution of neighbours."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.context import Context
from blocks.convolution import convolve
from blocks.core.block import Block
from blocks.core.bounds import Size
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.mlp.activations import gelu


class ConvolutionalPositions(Block, kw_only=True):
    r"""Convolutional positions: a wide convolution over neighbours, added to each token.

    $$y_t = x_t + \phi\Big(b + \sum_{i=0}^{w-1} x_{t + i - \lfloor w/2 \rfloor}\, W_i\Big), \qquad
    W_i = g_i \frac{V_i}{\lVert V_i \rVert}$$

    Zeros stand beyond the ends and in padding. Features are convolved in groups; each step of the
    filter has a learned length $g_i$, a weight norm.

    Attributes:
        width: number $w$ of steps that a filter spans.
        num_groups: number of groups of features that are convolved apart.
        activation: the function $\phi$.
        dtype: dtype of the computation; None infers it from input and parameters.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the filters $V$.

    Raises:
        ValueError: a size below 1, groups that do not divide the features, or a call with documents
            or a cache.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks.positions import ConvolutionalPositions
        >>> position = ConvolutionalPositions(width=128, num_groups=4)
        >>> jax.jit(position.init_with_output)(jax.random.key(0), jnp.ones((2, 50, 16)))[0].shape
        (2, 50, 16)

        ```

    References:
        Baevski et al., wav2vec 2.0, 2020, arXiv:2006.11477, section 2.
        Salimans and Kingma, Weight Normalization, 2016, arXiv:1602.07868.
    """

    width: Size
    num_groups: Size = 1
    activation: Callable[[Array], Array] = gelu
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @property
    def sees_ahead(self) -> bool:
        """Whether outputs may depend on later positions: the filter's second half reads them."""
        return self.width > 2

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Add to each token what stands around it."""
        context = Context() if context is None else context
        self._refuse(context, x)
        embed, groups = x.shape[-1], self.num_groups
        shape = (self.width, embed // groups, embed)
        kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        # As in PyTorch, the filter starts unchanged: its lengths are those that were drawn.
        lengths = self.param("scale", lambda key: jnp.sqrt(_squares(kernel)).astype(kernel.dtype))
        bias = self.param("bias", nn.initializers.zeros, (embed,), self.param_dtype)
        real = x
        if context.valid is not None:
            real = jnp.where(context.valid[..., None], x, 0.0)
        factor = lengths.astype(jnp.float32) * jax.lax.rsqrt(_squares(kernel))
        kernel = (kernel.astype(jnp.float32) * factor[:, None, None]).astype(kernel.dtype)
        real, kernel, bias = promote_dtype(real, kernel, bias, dtype=self.dtype)
        before = self.width // 2
        padding = (before, self.width - 1 - before)
        around = convolve(real, kernel, padding=padding, groups=groups)
        return x + self.activation(around + bias[None, None]).astype(x.dtype)

    def _refuse(self, context: Context, x: Array) -> None:
        context.check(*x.shape[:2])
        for name in ("cache_size", "segment_ids"):
            if getattr(context, name) is not None:
                raise ValueError(
                    f"{name} of the context: ConvolutionalPositions mixes neighbours, later ones "
                    f"too, of any document; leave {name} out."
                )
        if x.shape[-1] % self.num_groups:
            raise ValueError(f"num_groups={self.num_groups} must divide embed={x.shape[-1]}.")


def _squares(kernel: Float[Array, "width group_channels features"]) -> Float[Array, "width"]:
    """Squared length of the filter at each step, in float32."""
    return jnp.square(kernel.astype(jnp.float32)).sum(axis=(1, 2))
