"""`Attention`: the base of multi-head, latent, cross and all other softmax attention.

Every call projects, transforms, caches, attends and merges; a subclass defines its projections and
how the results of the heads are merged.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeVar

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.caches.cache import Cache
from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.caches.variable import cache_variable
from blocks.attention.gates import HeadTransform
from blocks.attention.inputs import AttentionInputs
from blocks.attention.kernels import (
    Kernel,
    KernelCall,
    check_signature,
    dot_product_attention,
    require,
)
from blocks.attention.masks import Mask
from blocks.attention.observed import observed
from blocks.attention.qk import QKTransform
from blocks.attention.returned import alike, floating
from blocks.attention.scores import Modification, ScoreModification, bind
from blocks.attention.sinks import Sinks
from blocks.attention.trial import check_chunks
from blocks.attention.values import ValueTransform
from blocks.carry import AndCarry, join_carry, split_carry
from blocks.context import Context, Coordinates, locate
from blocks.core.block import Block
from blocks.core.bounds import Rate, Size
from blocks.core.errors.location import Location, where
from blocks.core.errors.words import shown
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, typed

T = TypeVar("T")


class Sides(NamedTuple):
    """Queries, keys and values of one call, as the kernel receives them.

    Attributes:
        query: new queries.
        key: keys that they attend to, including cached ones.
        value: values of those keys.
        key_at: coordinates of those keys.
        inputs: inputs of the parts in this call.
    """

    query: Float[Array, "batch q_seq heads head_dim"]
    key: Float[Array, "batch kv_seq kv_heads head_dim"]
    value: Float[Array, "batch kv_seq kv_heads value_dim"]
    key_at: Coordinates
    inputs: AttentionInputs


class Attention(Block, kw_only=True):
    """Base class for attention blocks; its fields are common to all of them.

    A subclass defines `_project`, and overrides other steps where it differs.
    """

    qk: ClassVar[tuple[QKTransform, ...]] = ()  # declared by the subclasses that have them
    values: ClassVar[tuple[ValueTransform, ...]] = ()

    num_heads: Size
    mask: Mask | None = None
    position: QKTransform | None = None
    gate: HeadTransform | None = None
    scores: tuple[ScoreModification, ...] = ()
    scale: float | None = None
    sinks: Sinks | None = None
    implementation: Kernel = dot_product_attention
    cache: Cache = KeyValueCache()
    dropout_rate: Rate = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @property
    def sees_ahead(self) -> bool:
        """Whether outputs may depend on later positions: unless the mask is causal."""
        return self.mask is None or not self.mask.causal

    def check_fields(self) -> None:
        """Validate the rate, and the options against the implementation."""
        self.cache.check_mask(self.mask)
        check_signature(self.implementation)
        require(
            self.implementation,
            KernelCall(
                mask=self.mask,
                modifications=self.scores,
                sinks=self.sinks is not None,
                dropout=self.dropout_rate > 0.0,
                dtype=None if self.dtype is None else jnp.dtype(self.dtype).name,
                **self._widths(),
            ),
        )

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> AndCarry[Float[Array, "batch seq embed"]]:
        """Attend within `x` and, with a cache, to the tokens of earlier calls."""
        sides = self._sides(x, context or Context(), deterministic)
        mixed, inputs = self._attend(sides)
        return join_carry(self._merge(mixed, inputs), inputs.context, context)

    def _sides(self, x: Array, context: Context, deterministic: bool) -> Sides:
        """Project and transform `x`, and append to the cache if there is one."""
        query, key, value = self._project(x)
        cache = cache_variable(self, self.cache, self.mask, context, key, value)
        at = locate(context, *x.shape[:2]) if cache is None else cache.locate(context, x.shape[1])
        inputs = AttentionInputs(x, context, deterministic, at, at)
        value, inputs = self._transform_values(value, inputs)
        query, key = self._transform_qk(query, key, inputs)
        if cache is None:
            return Sides(query, key, value, at, inputs)
        return Sides(query, *cache.extend(key, value, at), inputs)

    def _project(self, x: Array) -> tuple[Array, Array, Array]:
        """Project `x` to queries, keys and values, the last two as a cache keeps them."""
        raise TypeError(f"{type(self).__name__} projects nothing: give it a method `_project`.")

    def _transform_values(
        self, value: Array, inputs: AttentionInputs
    ) -> tuple[Array, AttentionInputs]:
        for transform in self.values:
            result = called(transform, transform, value, inputs)
            changed, context = split_carry(result, inputs.context)
            value = alike(changed, value, transform, "batch x seq x kv_heads x value_dim")
            inputs = inputs.replace(context=context)
        return value, inputs

    def _transform_qk(
        self, query: Array, key: Array, inputs: AttentionInputs
    ) -> tuple[Array, Array]:
        return transform_qk(self.qk, self.position, query, key, inputs)

    def _attend(self, sides: Sides) -> tuple[Array, AttentionInputs]:
        """Run the kernel; return one result per head, or arrays that `_merge` combines."""
        query, key, value, key_at, inputs = sides
        modifications, inputs = self._bound(self.scores, inputs, key_at)
        sinks = None
        if self.sinks is not None:
            sinks = called(self.sinks, self.sinks.logits, self.num_heads, inputs)
            sinks = floating(sinks, self.sinks, f"one logit per head, {(self.num_heads,)} here")
        drop = self.dropout_rate > 0.0 and not inputs.deterministic
        head_dim = query.shape[-1]
        kernel = observed(self, self.implementation, lambda k: self._adapt(k, head_dim))
        scale = self._scale()
        mixed = kernel(
            query,
            key,
            value,
            inputs.query_at,
            key_at,
            mask=self._mask(),
            scale=None if scale is None else float(scale),
            modifications=modifications,
            sinks=sinks,
            dropout_rate=self.dropout_rate if drop else 0.0,
            dropout_key=self.make_rng("dropout") if drop else None,
        )
        shape = (*query.shape[:2], self.num_heads, value.shape[-1])
        axes = f"batch x q_seq x heads x value_dim, {shape} here"
        mixed = floating(mixed, self.implementation, axes)
        if mixed.shape != shape:
            raise ValueError(
                f"implementation={self.implementation} returned shape {mixed.shape}; a kernel "
                f"returns {axes}."
            )
        return mixed.astype(value.dtype), inputs

    def _bound(
        self, parts: tuple[ScoreModification, ...], inputs: AttentionInputs, key_at: Coordinates
    ) -> tuple[tuple[Modification, ...], AttentionInputs]:
        """Bind score modifications to their parameters in this call."""
        modifications: list[Modification] = []
        for part in parts:
            modification, context = called(part, bind, part, self.num_heads, inputs)
            where = (len(inputs.x), self.num_heads, inputs.query_at, key_at)
            called(part, check_chunks, modification, *where)
            modifications.append(modification)
            inputs = inputs.replace(context=context)
        return tuple(modifications), inputs

    def _mask(self) -> Mask | None:
        """The mask that the kernel is given."""
        return self.mask

    def _adapt(self, kernel: Kernel, head_dim: int) -> Kernel:
        """The function that computes attention, built from `kernel`."""
        return kernel

    def _merge(self, mixed: Array, inputs: AttentionInputs) -> Array:
        """Gate the outputs of the heads and project them back to the width."""
        if self.gate is not None:
            gated = called(self.gate, self.gate, mixed, inputs)
            mixed = alike(gated, mixed, self.gate, "batch x seq x heads x value_dim")
        return self._out(mixed, inputs.x.shape[-1])

    def _out(self, mixed: Array, features: int) -> Array:
        raise TypeError(f"{type(self).__name__} merges nothing: give it a method `_out`.")

    def _scale(self) -> float | None:
        """The factor on scores; None leaves it to the kernel."""
        return self.scale

    def _widths(self) -> dict[str, Any]:
        """Widths of queries and values, as far as they are known before a call."""
        return {}


def transform_qk(
    qk: tuple[QKTransform, ...],
    position: QKTransform | None,
    query: Array,
    key: Array,
    inputs: AttentionInputs,
) -> tuple[Array, Array]:
    """Apply the transforms in `qk` in order, then the one in `position`."""
    for transform in qk if position is None else (*qk, position):
        changed = called(transform, transform, query, key, inputs)
        if not (isinstance(changed, (tuple, list)) and len(changed) == 2):
            raise TypeError(f"{transform} returned {shown(changed)}; return both, `query, key`.")
        query, key = (
            alike(new, old, transform, "batch x seq x heads x head_dim")
            for new, old in zip(changed, (query, key), strict=True)
        )
    return query, key


def called(part: nn.Module, method: Callable[..., T], *arguments: Any) -> T:
    """Call a part of attention, and name the part in errors that it raises."""
    with Location(where(part)):
        return method(*arguments)
