"""`SkipStack`: a stack with skip connections from its first to its second half, as in a U-Net."""

from collections.abc import Callable
from typing import Annotated, Any

import flax.linen as nn
import jax.numpy as jnp

from blocks.carry import AndCarry, join_carry
from blocks.context import Context
from blocks.core.block import Block, fresh
from blocks.core.bounds import at_least
from blocks.core.slots import Layers
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.layers.drawing import LayerParameters
from blocks.layers.stack import carrying, runner


class SkipStack(Block, kw_only=True):
    r"""Stack with U-Net skip connections: the output of layer $i$ feeds layer $L - 1 - i$ of $L$.

    $$x_{l+1} = \mathrm{block}_l(x_l + w_l\, x_{L-l}), \qquad l \ge L / 2$$

    where $x_{L-l}$ is the output of layer $L - 1 - l$; layers of the first half have no such term,
    nor has the middle one of an odd number.

    Attributes:
        block: the layer, or a tuple of layers that repeats.
        depth: number of layers.
        remat: recompute activations in the backward pass instead of keeping them: True keeps
            nothing, a policy of `jax.checkpoint_policies` keeps what it names.
        param_dtype: dtype of the weights $w$.
        weight_init: initialiser of the weights $w$.

    Raises:
        ValueError: an empty pattern, or a depth below 2.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, MLP, MultiHeadAttention, SkipStack, TransformerBlock
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> block = TransformerBlock(attention=attention, mlp=MLP(hidden=32))
        >>> stack = SkipStack(block=block, depth=4)
        >>> params = jax.jit(stack.init)(jax.random.key(0), jnp.ones((1, 3, 8)))["params"]
        >>> params["skip_weights"]
        Array([1., 1.], dtype=float32)

        ```

    References:
        Ronneberger et al., U-Net, 2015, arXiv:1505.04597.
        Jordan et al., modded-nanogpt, 2024, github.com/KellerJordan/modded-nanogpt.
    """

    block: Layers
    depth: Annotated[int, at_least(2, ", one layer for each half")]
    remat: bool | Callable[..., Any] = False
    param_dtype: Dtype = jnp.float32
    weight_init: Initializer = nn.initializers.ones

    def check_fields(self) -> None:
        """Validate the depth, which must allow two halves."""
        if self.block == ():
            raise ValueError("block=() holds no layer; give at least one.")

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> AndCarry[Float[Array, "batch seq embed"]]:
        """Run all layers."""
        if context is not None:
            context.check(*x.shape[:2])
        pattern = self.block if isinstance(self.block, tuple) else (self.block,)
        run = runner(self.remat, deterministic)
        given, (context, carry) = context, carrying(context)
        half = self.depth // 2
        weights = self.param("skip_weights", self.weight_init, (half,), self.param_dtype)
        parameters = LayerParameters(self, pattern, self.depth)
        saved = []
        for index in range(self.depth):
            skip = index - (self.depth - half)
            if skip >= 0:
                x = x + weights[skip].astype(x.dtype) * saved.pop()
            parameters.draw(index, x, carry, context, deterministic)
            layer = fresh(pattern[index % len(pattern)], name=f"layer_{index}")
            x, carry = run(layer, x, carry, context)
            if index < half:
                saved.append(x)
        return join_carry(x, context.replace(carry=carry), given)
