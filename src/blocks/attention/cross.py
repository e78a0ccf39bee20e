"""Cross-attention: queries from one sequence, keys and values from another."""

from blocks.attention.attention import Sides
from blocks.attention.caches.memory import MemoryState
from blocks.attention.inputs import AttentionInputs
from blocks.attention.multi_head import MultiHeadAttention
from blocks.attention.values import ValueEmbedding, ValueResidual
from blocks.context import Context, Coordinates, locate
from blocks.core.typing import Array


class CrossAttention(MultiHeadAttention, kw_only=True):
    r"""Cross-attention: queries from `x`, keys and values from `context.memory`.

    $$q = x W_q, \qquad k = m W_k, \qquad v = m W_v$$

    Otherwise the block is a `MultiHeadAttention`, fields included; `mask` and `position` compare
    the tokens of `x` with those of the memory, usually the output of an encoder. With a cache, the
    memory is kept for later calls, which leave it out. In a packed batch each document has its own
    memory, given by `memory_segment_ids`.

    Raises:
        ValueError: fields as in `MultiHeadAttention`, a `ValueResidual` or `ValueEmbedding`, or a
            call without memory.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Context, CrossAttention
        >>> attention = CrossAttention(num_heads=4)
        >>> x, context = jnp.ones((1, 3, 32)), Context(memory=jnp.ones((1, 7, 16)))
        >>> variables = jax.jit(attention.init)(jax.random.key(0), x, context)
        >>> variables["params"]["key"]["kernel"].shape
        (16, 4, 8)

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.2.3.
    """

    reads = frozenset({"memory", "memory_valid", "memory_segment_ids"})

    @property
    def sees_ahead(self) -> bool:
        """Whether outputs may depend on later positions: never, as keys are of another sequence."""
        return False

    def check_fields(self) -> None:
        """Validate fields, and refuse values that mix in those of other tokens of `x`."""
        super().check_fields()
        for transform in self.values:
            if isinstance(transform, (ValueEmbedding, ValueResidual)):
                raise ValueError(
                    f"values={self.values}: {type(transform).__name__} has something for the "
                    "tokens of `x`, and values here are of the memory; leave it to the "
                    "self-attention."
                )

    def _sides(self, x: Array, context: Context, deterministic: bool) -> Sides:
        """Project `x`, and the memory unless it is cached."""
        head_dim = self._head_dim(x.shape[-1])
        memory = new = None
        if context.cache_size is not None and self.has_variable("cache", "memory"):
            memory = self.get_variable("cache", "memory")
            _refuse_kept(context)
        if memory is None or context.memory is not None:
            memory = new = self._memory(x, context, head_dim, memory)
        at = locate(context, *x.shape[:2])
        if context.cache_size is not None:
            at = memory.locate(context, x.shape[1])
        key_at = memory.located()
        _same_documents(at, key_at)
        inputs = AttentionInputs(x, context, deterministic, at, key_at)
        if new is not None:
            values, inputs = self._transform_values(new.values, inputs)
            memory = new.replace(values=values)
        if context.cache_size is not None:
            self.put_variable("cache", "memory", memory.counted(at))
        query = self._heads("query", x, head_dim)
        query, key = self._transform_qk(query, memory.keys, inputs)
        return Sides(query, key, memory.values, key_at, inputs)

    def _memory(
        self, x: Array, context: Context, head_dim: int, kept: MemoryState | None
    ) -> MemoryState:
        if context.memory is None:
            raise ValueError(
                "cross-attention has nothing to read; call with Context(memory=...), the output of "
                "an encoder."
            )
        fields = {
            "keys": self._heads("key", context.memory, head_dim),
            "values": self._heads("value", context.memory, head_dim),
            "valid": context.memory_valid,
            "segment_ids": context.memory_segment_ids,
        }
        return MemoryState.empty(len(x), **fields) if kept is None else kept.replace(**fields)


def _refuse_kept(context: Context) -> None:
    """Refuse a later call with a part of the memory alone, as the cache keeps all of it."""
    for name in ("memory_valid", "memory_segment_ids"):
        if context.memory is None and getattr(context, name) is not None:
            raise ValueError(
                f"{name} is given without memory, and the cache keeps that of the first call; "
                f"leave {name} out of later calls, or give memory too."
            )


def _same_documents(query_at: Coordinates, key_at: Coordinates) -> None:
    """Refuse `segment_ids` without `memory_segment_ids`, and the reverse."""
    if (query_at.segment_ids is None) != (key_at.segment_ids is None):
        missing = "segment_ids" if query_at.segment_ids is None else "memory_segment_ids"
        raise ValueError(
            f"{missing} of the call are missing: the memory is read document by document where "
            "both are given; give both at the first call, and segment_ids at later ones."
        )
