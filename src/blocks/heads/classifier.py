"""Heads that classify a sequence, or value each token."""

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import Rate, Size
from blocks.core.drop import drop
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import Norm
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.heads.pooling import FirstToken, Pooler
from blocks.linear import Linear


class ClassifierHead(Block, kw_only=True):
    r"""Classification head: logits of classes for a whole sequence, $z = \mathrm{pool}(x) W + b$.

    With a `norm`, the pooled vector is normalised before the map, as in BEiT.

    Attributes:
        num_classes: number of classes.
        pool: pooler of the sequence into one vector.
        norm: norm of the pooled vector; None for none.
        use_bias: learn the bias $b$.
        dropout_rate: dropout probability on the pooled vector.
        dtype: dtype of the product; None infers it. Logits are float32 always.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of $W$.

    Raises:
        ValueError: fewer than one class, or a rate outside [0, 1).

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import ClassifierHead, MeanPool
        >>> head = ClassifierHead(num_classes=3, pool=MeanPool())
        >>> head.init_with_output(jax.random.key(0), jnp.ones((2, 5, 8)))[0].shape
        (2, 3)

        ```

    References:
        Devlin et al., BERT, 2018, arXiv:1810.04805, section 4.1.
    """

    num_classes: Size
    pool: Pooler = FirstToken()
    norm: Norm | None = None
    use_bias: bool = True
    dropout_rate: Rate = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch {self.num_classes}"]:
        """Compute the logits of every sequence, without its padding."""
        pooled = self.pool(x, context)
        if self.norm is not None:
            pooled = self.norm(pooled).astype(pooled.dtype)
        pooled = drop(self, pooled, self.dropout_rate, deterministic)
        logits = Linear(
            features=(self.num_classes,),
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name="classes",
        )(pooled)
        return logits.astype(jnp.float32)


class ValueHead(Block, kw_only=True):
    r"""Value head: one number per token, for reward models and critics: $v_t = x_t w + b$.

    Attributes:
        dtype: dtype of the product; None infers it. Values are float32 always.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of $w$.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks.heads import ValueHead
        >>> ValueHead().init_with_output(jax.random.key(0), jnp.ones((2, 5, 8)))[0].shape
        (2, 5)

        ```

    References:
        Ziegler et al., Fine-Tuning Language Models from Human Preferences, 2019, arXiv:1909.08593.
    """

    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq"]:
        """Compute the value of every token."""
        values = Linear(
            features=(1,),
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name="value",
        )(x)
        return values[..., 0].astype(jnp.float32)
