"""`Convolution` and `SoundEmbedding`: sound samples as a sequence of vectors, step by step."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.context import Context
from blocks.convolution import convolve
from blocks.core.block import Block, fresh
from blocks.core.bounds import Rate, Size
from blocks.core.drop import drop
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import Mixer, Norm, Template
from blocks.core.surgery import find
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.norms.group_norm import GroupNorm


class Convolution(Block, kw_only=True):
    r"""Convolution over time without padding, with a norm and an activation.

    $$y_t = \phi\Big(\mathrm{norm}\Big(b + \sum_{i=0}^{w-1} x_{st + i}\, W_i\Big)\Big)$$

    `seq` steps become `(seq - width) // stride + 1`.

    Attributes:
        features: width of a resulting vector.
        width: number $w$ of steps that a filter spans.
        stride: steps $s$ from one filter to the next.
        norm: norm before the activation; None for none.
        activation: the function $\phi$; None for none.
        use_bias: learn the bias $b$.
        dtype: dtype of the computation; None infers it from input and parameters.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the filters $W$.

    Raises:
        ValueError: a size below 1, or a call with fewer steps than a filter spans.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks.embeddings import Convolution
        >>> convolution = Convolution(features=8, width=10, stride=5)
        >>> jax.jit(convolution.init_with_output)(jax.random.key(0), jnp.ones((2, 100, 1)))[0].shape
        (2, 19, 8)

        ```

    References:
        Baevski et al., wav2vec 2.0, 2020, arXiv:2006.11477, section 2.
    """

    features: Size
    width: Size
    stride: Size = 1
    norm: Norm | None = None
    activation: Callable[[Array], Array] | None = None
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(
        self, x: Float[Array, "batch seq channels"]
    ) -> Float[Array, "batch out_seq {self.features}"]:
        """Convolve the signal."""
        if x.shape[1] < self.width:
            raise ValueError(
                f"width={self.width} is more than the {x.shape[1]} steps of x; pad the signal."
            )
        shape = (self.width, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        bias = None
        if self.use_bias:
            zeros = nn.initializers.zeros
            bias = self.param("bias", zeros, (self.features,), self.param_dtype)
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = convolve(x, kernel, stride=self.stride)
        y = y if bias is None else y + bias[None, None]
        y = y if self.norm is None else self.norm(y).astype(y.dtype)
        return y if self.activation is None else self.activation(y)


class SoundEmbedding(Block, kw_only=True):
    r"""Sound embedding: convolutions and other steps, one after the other, then positions.

    $$y = \mathrm{norm}(\mathrm{position}(\mathrm{step}_n(\dots \mathrm{step}_1(x))))$$

    Attributes:
        steps: the steps, each called on the signal alone: `Convolution`, norms, a `Linear` map.
        position: block that adds positions to the vectors, such as `ConvolutionalPositions`; None
            for none.
        embedding_norm: norm of the vectors; None for none.
        dropout_rate: dropout probability on the vectors.

    Raises:
        ValueError: no steps, a rate outside [0, 1), or a call with documents, a cache, or with
            padding where a `GroupNorm` would average over it.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Linear, gelu
        >>> from blocks.embeddings import Convolution, SoundEmbedding
        >>> first = Convolution(features=8, width=10, stride=5, activation=gelu)
        >>> second = Convolution(features=8, width=4, stride=2, activation=gelu)
        >>> embed = SoundEmbedding(steps=(first, second, Linear(features=(16,))))
        >>> jax.jit(embed.init_with_output)(jax.random.key(0), jnp.ones((2, 100, 1)))[0].shape
        (2, 8, 16)

        ```

    References:
        Baevski et al., wav2vec 2.0, 2020, arXiv:2006.11477, section 2.
    """

    steps: Template[tuple[Norm, ...]]
    position: Mixer | None = None
    embedding_norm: Norm | None = None
    dropout_rate: Rate = 0.0

    def check_fields(self) -> None:
        """Validate steps and rate."""
        if not self.steps:
            raise ValueError("steps=() must hold at least one step, such as a Convolution.")

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq channels"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch out_seq embed"]:
        """Embed the signal; `context` describes the resulting tokens."""
        context = Context() if context is None else context
        self._refuse(context)
        for index, step in enumerate(self.steps):
            x = fresh(step, name=f"step_{index}")(x)
        context.check(*x.shape[:2])
        if self.position is not None:
            x = self.position(x, context, deterministic)
        if self.embedding_norm is not None:
            x = self.embedding_norm(x).astype(x.dtype)
        return drop(self, x, self.dropout_rate, deterministic)

    def _refuse(self, context: Context) -> None:
        for name in ("cache_size", "segment_ids"):
            if getattr(context, name) is not None:
                raise ValueError(
                    f"{name} of the context: SoundEmbedding reads whole signals, one a row, and "
                    f"mixes neighbouring samples; leave {name} out."
                )
        if context.valid is not None and any(find(step, GroupNorm) for step in self.steps):
            raise ValueError(
                "valid of the context: GroupNorm averages over all steps, padding included; give "
                "signals of one length without it, as the model was trained."
            )
