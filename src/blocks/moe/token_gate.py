"""`TokenGate`: an MLP with one gate per token on its output."""

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import Mixer
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear


class TokenGate(Block, kw_only=True):
    r"""Token gate: a block whose output is multiplied by one learned number per token.

    $$y = \sigma(x w) \cdot f(x)$$

    In the slot `shared` of a `MixtureOfExperts` it is the gated shared expert of Qwen2-MoE.

    Attributes:
        mlp: the block $f$, such as `GatedMLP`.
        dtype: dtype of the projection to the gate; None infers it from input and parameters.
        param_dtype: dtype of the parameters of the gate.
        kernel_init: initialiser of the weights $w$.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import GatedMLP
        >>> from blocks.moe import TokenGate
        >>> block = TokenGate(mlp=GatedMLP(hidden=24))
        >>> block.init(jax.random.key(0), jnp.ones((2, 5, 8)))["params"]["gate"]["kernel"].shape
        (8, 1)

        ```

    References:
        Yang et al., Qwen2 Technical Report, 2024, arXiv:2407.10671, section 2.2.2 (the gate is in
        its published code).
    """

    mlp: Mixer
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "*batch embed"]:
        """Gate the output of the block for each token."""
        gate = Linear(
            features=(1,),
            use_bias=False,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name="gate",
        )(x)
        y = self.mlp(x, context, deterministic)
        return nn.sigmoid(gate).astype(y.dtype) * y
