"""Gates on the outputs of the heads."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.core.block import Block
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import Inner
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear


class HeadTransform(Inner, Block, kw_only=True):
    """Base class for transforms of the heads' outputs, before the output projection."""

    def __call__(
        self, heads: Float[Array, "batch q_seq heads value_dim"], inputs: AttentionInputs
    ) -> Float[Array, "batch q_seq heads value_dim"]:
        """Transform the output of every head."""
        raise TypeError(f"{type(self).__name__} changes nothing: give it a `__call__`.")


class OutputGate(HeadTransform, kw_only=True):
    r"""Sigmoid gate on each feature of each head, computed from the querying token.

    $$o_h \leftarrow o_h \odot \sigma(x W_h)$$

    A head that finds nothing can output zero, so the first token need not serve as a sink.

    Attributes:
        activation: the function $\sigma$.
        use_bias: learn a bias in the gate's projection.
        dtype: dtype of the projection; None infers it from input and parameters.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the weights $W$.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, MultiHeadAttention, OutputGate
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal(), gate=OutputGate())
        >>> variables = attention.init(jax.random.key(0), jnp.ones((1, 3, 8)))
        >>> variables["params"]["gate"]["projection"]["kernel"].shape
        (8, 2, 4)

        ```

    References:
        Qiu et al., Gated Attention for Large Language Models, 2025, arXiv:2505.06708.
    """

    activation: Callable[[Array], Array] = nn.sigmoid
    use_bias: bool = False
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(
        self, heads: Float[Array, "batch q_seq heads value_dim"], inputs: AttentionInputs
    ) -> Float[Array, "batch q_seq heads value_dim"]:
        """Gate all heads."""
        gate = Linear(
            features=heads.shape[2:],
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name="projection",
        )(inputs.x)
        return heads * self.activation(gate).astype(heads.dtype)
