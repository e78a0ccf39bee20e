"""Relative position bias, as in T5: a learned bias for each head and bucket of distances."""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.attention.scores import ScoreModification
from blocks.carry import AndCarry
from blocks.context import Coordinates
from blocks.core.block import fresh
from blocks.core.initializers import Normal
from blocks.core.parts import part_name
from blocks.core.typing import Array, Dtype, Float, Initializer, Int, typed


@typed
def relative_buckets(
    steps: Int[Array, "*shape"], num_buckets: int, max_distance: int, bidirectional: bool
) -> Int[Array, "*shape"]:
    """Compute the bucket of each offset from query to key: exact if near, logarithmic if far.

    Keys after the query use the upper half of the buckets, or, if not `bidirectional`, share the
    bucket of distance 0.
    """
    side = num_buckets // 2 if bidirectional else num_buckets
    after = jnp.where(steps > 0, side, 0) if bidirectional else jnp.zeros_like(steps)
    distance = jnp.abs(steps) if bidirectional else jnp.maximum(-steps, 0)
    exact = side // 2
    far = jnp.log(jnp.maximum(distance, 1).astype(jnp.float32) / exact)
    far = exact + (far / math.log(max_distance / exact) * (side - exact)).astype(jnp.int32)
    return after + jnp.where(distance < exact, distance, jnp.minimum(far, side - 1))


def shared_table(
    bias: ScoreModification,
    num_heads: int,
    inputs: AttentionInputs,
    make: Callable[[int], Array],
) -> AndCarry[Array]:
    """Return the table of the first layer with an equal bias, or make it and leave it there."""
    carry = inputs.context.carry
    if carry is None:
        raise ValueError(
            f"{type(bias).__name__} reads what the first layer left; run the layers in a Stack, or "
            "thread Context(carry=Carry()) through them by split_carry."
        )
    name = f"{bias} of {num_heads} heads"
    if bias.name != part_name(fresh(bias)):  # for other keys, in a slot of its own
        name = f"{name} as {bias.name}"
    if name in carry:
        return carry[name]
    table = make(num_heads)
    return table, carry | {name: table}


class RelativeBias(ScoreModification, kw_only=True):
    r"""T5's relative bias: a learned number per head and bucket of distances, added to scores.

    $$s_{ij} + B_{h,\, \mathrm{bucket}(j - i)}$$

    T5 does not scale its scores: set `scale=1.0` in attention.

    Attributes:
        num_buckets: number of buckets; half of them hold one distance each.
        max_distance: distance from which on all share the last bucket, in tokens.
        bidirectional: separate keys after the query from those before, as encoders do.
        param_dtype: dtype of the parameters.
        bias_init: initialiser of the numbers $B$.

    Raises:
        ValueError: fewer than 4 buckets, or a `max_distance` that the exact buckets already hold.

    Example:
        ```python
        >>> from blocks import MultiHeadAttention, RelativeBias
        >>> t5 = MultiHeadAttention(
        ...     num_heads=8, scale=1.0, scores=(RelativeBias(),), use_bias=False
        ... )

        ```

    References:
        Raffel et al., T5, 2019, arXiv:1910.10683, section 2.1.
    """

    num_buckets: int = 32
    max_distance: int = 128
    bidirectional: bool = True
    param_dtype: Dtype = jnp.float32
    bias_init: Initializer = Normal(0.02)

    def check_fields(self) -> None:
        """Validate the number of buckets and the largest distance."""
        if self.num_buckets < 4 or self.num_buckets % 2:
            raise ValueError(f"num_buckets={self.num_buckets} must be even and at least 4.")
        exact = self.num_buckets // (4 if self.bidirectional else 2)
        if self.max_distance <= exact:
            raise ValueError(
                f"max_distance={self.max_distance} must be above the {exact} distances that "
                f"num_buckets={self.num_buckets} hold one by one."
            )

    @nn.compact
    def parameters(self, num_heads: int, inputs: AttentionInputs) -> Any:
        """The numbers $B$: buckets x heads."""
        return self._table(num_heads)

    def modify(
        self,
        scores: Float[Array, "batch heads q_seq kv_seq"],
        parameters: Float[Array, "buckets heads"],
        query_at: Coordinates,
        key_at: Coordinates,
    ) -> Float[Array, "batch heads q_seq kv_seq"]:
        """Add the bias of its head and bucket to each score."""
        steps = key_at.positions[:, None, :] - query_at.positions[:, :, None]
        rule = (self.num_buckets, self.max_distance, self.bidirectional)
        return scores + jnp.moveaxis(parameters[relative_buckets(steps, *rule)], -1, 1)

    def _table(self, num_heads: int) -> Array:
        shape = (self.num_buckets, num_heads)
        return self.param("bias", self.bias_init, shape, self.param_dtype)


class SharedRelativeBias(RelativeBias, kw_only=True):
    r"""A `RelativeBias` that shares the table $B$ of the first layer in a `Stack`, as in T5.

    Layers with equal ones share one table, which the first of them owns.

    Raises:
        ValueError: as in `RelativeBias`, or a layer called outside a `Stack` and without a carry.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP, MultiHeadAttention, SharedRelativeBias, Stack, TransformerBlock
        >>> attention = MultiHeadAttention(num_heads=2, scores=(SharedRelativeBias(),))
        >>> stack = Stack(block=TransformerBlock(attention=attention, mlp=MLP(hidden=8)), depth=3)
        >>> params = jax.jit(stack.init)(jax.random.key(0), jnp.ones((1, 3, 8)))["params"]
        >>> [name for name in sorted(params) if "shared_relative_bias" in params[name]["attention"]]
        ['layer_0']

        ```

    References:
        Raffel et al., T5, 2019, arXiv:1910.10683, section 2.1.
    """

    @nn.compact
    def parameters(self, num_heads: int, inputs: AttentionInputs) -> AndCarry[Array]:
        """Return the table from the carry, or create it and leave it there."""
        return shared_table(self, num_heads, inputs, self._table)
