"""Sinks: logits without a value, by which attention may attend to nothing."""

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.core.block import Block
from blocks.core.initializers import Normal
from blocks.core.slots import Inner
from blocks.core.typing import Array, Dtype, Float, Initializer


class Sinks(Inner, Block, kw_only=True):
    """Base class for attention sinks: one more logit per head in the softmax, without a value."""

    def logits(self, num_heads: int, inputs: AttentionInputs) -> Float[Array, "heads"]:
        """Return a logit per head, which joins the softmax after score modifications and mask."""
        raise TypeError(f"{type(self).__name__} has no logits: give it a method `logits`.")


class LearnedSinks(Sinks, kw_only=True):
    r"""Learned sinks: a logit $b_h$ for each head that joins the softmax's denominator only.

    $$w_j = \frac{e^{s_j}}{e^{b_h} + \sum_k e^{s_k}}$$

    A head that finds nothing can then output little, instead of spending its weight on the first
    token.

    Attributes:
        param_dtype: dtype of the logits; the softmax is float32.
        sinks_init: initialiser of the logits; the default is that of gpt-oss in `transformers`.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, LearnedSinks, MultiHeadAttention
        >>> attention = MultiHeadAttention(num_heads=4, mask=Causal(), sinks=LearnedSinks())
        >>> variables = attention.init(jax.random.key(0), jnp.ones((1, 3, 8)))
        >>> variables["params"]["sinks"]["sinks"].shape
        (4,)

        ```

    References:
        Xiao et al., Efficient Streaming Language Models with Attention Sinks, 2023,
        arXiv:2309.17453. OpenAI, gpt-oss-120b and gpt-oss-20b Model Card, 2025, arXiv:2508.10925.
    """

    param_dtype: Dtype = jnp.float32
    sinks_init: Initializer = Normal(0.02)

    @nn.compact
    def logits(self, num_heads: int, inputs: AttentionInputs) -> Float[Array, "heads"]:
        """Return the learned logits."""
        return self.param("sinks", self.sinks_init, (num_heads,), self.param_dtype)


class SoftmaxOne(Sinks, kw_only=True):
    r"""Softmax with 1 added to its denominator, so that a head may attend to nothing.

    $$w_j = \frac{e^{s_j}}{1 + \sum_k e^{s_k}}$$

    It is a sink with the constant logit 0.

    Example:
        ```python
        >>> from blocks import MultiHeadAttention
        >>> from blocks.attention import SoftmaxOne
        >>> MultiHeadAttention(num_heads=4, sinks=SoftmaxOne()).sinks
        SoftmaxOne()

        ```

    References:
        Miller, Attention Is Off By One, 2023, evanmiller.org/attention-is-off-by-one.html.
    """

    def logits(self, num_heads: int, inputs: AttentionInputs) -> Float[Array, "heads"]:
        """Return zeros."""
        return jnp.zeros((num_heads,), jnp.float32)
