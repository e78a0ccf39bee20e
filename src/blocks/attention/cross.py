"""Cross-attention: queries from one sequence, keys and values from another."""

import jax.numpy as jnp

from blocks.attention.attention import Sides
from blocks.attention.caches.memory import MemoryState
from blocks.attention.inputs import AttentionInputs
from blocks.attention.multi_head import MultiHeadAttention
from blocks.attention.values import ValueEmbedding, ValueResidual
from blocks.context import Context, Coordinates
from blocks.core.typing import Array, Bool, Float, typed


class CrossAttention(MultiHeadAttention, kw_only=True):
    r"""Attends from `x` to `context.memory`, the output of an encoder.

    $$q = x W_q, \qquad k = m W_k, \qquad v = m W_v$$

    The rest is `MultiHeadAttention`, fields included; `mask` and `position` compare the tokens of
    `x` with those of the memory. With a cache the memory is projected at the first call, and later
    calls need not bring it.

    Raises:
        ValueError: fields as in `MultiHeadAttention`, a `ValueResidual` or `ValueEmbedding`, or a
            call without memory.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Context, CrossAttention
        >>> attention = CrossAttention(num_heads=4)
        >>> x, context = jnp.ones((1, 3, 32)), Context(memory=jnp.ones((1, 7, 16)))
        >>> variables = attention.init(jax.random.key(0), x, context)
        >>> variables["params"]["key"]["kernel"].shape
        (16, 4, 8)

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.2.3.
    """

    @property
    def sees_ahead(self) -> bool:
        """Never: what it sees is another sequence."""
        return False

    def check_fields(self) -> None:
        """Validate fields, and that no value is mixed with those of other tokens."""
        super().check_fields()
        for transform in self.values:
            if isinstance(transform, (ValueEmbedding, ValueResidual)):
                raise ValueError(
                    f"values={self.values}: {type(transform).__name__} has something for the "
                    "tokens of `x`, and values here are of the memory; leave it to the "
                    "self-attention."
                )

    def _sides(self, x: Array, context: Context, deterministic: bool) -> Sides:
        """Project `x`, and the memory where no cache holds it."""
        head_dim = self._head_dim(x.shape[-1])
        memory = new = None
        if context.cache_size is not None and self.has_variable("cache", "memory"):
            memory = self.get_variable("cache", "memory")
        if memory is None:
            memory = new = self._memory(x, context, head_dim)
        at = memory.locate(context, x.shape[1])
        order = jnp.arange(memory.keys.shape[1], dtype=jnp.int32)[None]
        key_at = Coordinates(order, order, memory.valid)
        inputs = AttentionInputs(x, context, deterministic, at, key_at)
        if new is not None:
            values, inputs = self._transform_values(new.values, inputs)
            memory = new.replace(values=values)
        if context.cache_size is not None:
            self.put_variable("cache", "memory", memory.counted(at))
        query = self._heads("query", x, head_dim)
        query, key = self._transform_qk(query, memory.keys, inputs)
        return Sides(query, key, memory.values, key_at, inputs)

    def _memory(self, x: Array, context: Context, head_dim: int) -> MemoryState:
        if context.memory is None:
            raise ValueError(
                "cross-attention has nothing to read; call with Context(memory=...), the output of "
                "an encoder."
            )
        _context(x, context.memory, context.memory_valid)
        return MemoryState.empty(
            len(x),
            keys=self._heads("key", context.memory, head_dim),
            values=self._heads("value", context.memory, head_dim),
            valid=context.memory_valid,
        )


@typed
def _context(
    x: Float[Array, "batch seq embed"],
    memory: Float[Array, "batch memory_seq memory_embed"],
    memory_valid: Bool[Array, "batch memory_seq"] | None,
) -> None:
    """Checks the memory of a context against the batch that it comes with."""
