"""Multi-head attention: multi, grouped and multi query, with slots for what differs."""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.caches.cache import Cache
from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.caches.variable import CacheVariable, cache_variable
from blocks.attention.kernels import Kernel, dot_product_attention
from blocks.attention.masks import Mask
from blocks.attention.observed import observed
from blocks.attention.slots import (
    HeadTransform,
    QKTransform,
    ScoreModification,
    ValueTransform,
    check_kernel,
    score_options,
)
from blocks.carry import AndCarry, join_carry, split_carry
from blocks.context import Context, Coordinates, locate
from blocks.core.block import Block
from blocks.core.errors.numbers import divisors
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear


class Biases(NamedTuple):
    """Which projections of an attention block learn a bias.

    Attributes:
        query: the projection to queries.
        key: to keys.
        value: to values.
        out: from the heads back to the width.
    """

    query: bool = True
    key: bool = True
    value: bool = True
    out: bool = True


class MultiHeadAttention(Block, kw_only=True):
    r"""Attends with several heads at once and mixes their results.

    $$y = \mathrm{concat}_h\!\left(\mathrm{softmax}\!\left(\frac{q_h k_{g(h)}^\top}{\sqrt{d}}
    \right) v_{g(h)}\right) W_o$$

    With as many key heads as query heads it is multi-head attention, with fewer grouped-query, with
    one multi-query attention: query heads share key heads in consecutive groups $g(h)$.

    Attributes:
        num_heads: query heads.
        num_kv_heads: heads of keys and values; None takes `num_heads`.
        head_dim: features $d$ of a head; None takes `embed / num_heads`.
        features: width of the result; None takes the input's.
        mask: which token sees which; None lets all see all.
        position: where tokens stand, as `RoPE()`; applied after `transforms`, or first of
            `scores` where it is a change of scores.
        transforms: changes of queries and keys, as `QKNorm()`, of values, as `ValueResidual()`,
            and of what the heads give, as `OutputGate()`; those of one kind in their order.
        scores: changes of their product, in order; `Scale` among them replaces $1/\sqrt{d}$, and
            sinks, as `LearnedSinks()`, join the softmax last.
        kernel: what attends: `dot_product_attention`, `ChunkedAttention()`, `CudnnAttention()`, or
            `Auto()`, which chooses among them.
        cache: what keeps keys and values between calls, as `RingCache()` where `mask` is a window.
        use_bias: learn biases, in all projections or by `Biases` in some.
        dropout_rate: share of the attention weights dropped in training.
        dtype: of the computation; None infers it from input and parameters. Softmax is float32.
        param_dtype: of the parameters.
        kernel_init: of the kernels.
        out_kernel_init: of the output projection; None takes `kernel_init`.

    Raises:
        ValueError: heads that do not divide, a size below 1, a rate outside [0, 1), a kernel that
            does not support an option, a cache with a mask that can see ahead, or farther than
            the cache keeps, or a full cache.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, MultiHeadAttention
        >>> attention = MultiHeadAttention(num_heads=4, num_kv_heads=2, mask=Causal())
        >>> x = jnp.ones((1, 3, 32))
        >>> variables = attention.init(jax.random.key(0), x)
        >>> jax.tree.map(jnp.shape, variables["params"]["key"])
        {'bias': (2, 8), 'kernel': (32, 2, 8)}

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.2.2.
        Shazeer, Fast Transformer Decoding, 2019, arXiv:1911.02150.
        Ainslie et al., GQA, 2023, arXiv:2305.13245.
    """

    num_heads: int
    num_kv_heads: int | None = None
    head_dim: int | None = None
    features: int | None = None
    mask: Mask | None = None
    position: QKTransform | ScoreModification | None = None
    transforms: tuple[QKTransform | ValueTransform | HeadTransform, ...] = ()
    scores: tuple[ScoreModification, ...] = ()
    kernel: Kernel = dot_product_attention
    cache: Cache = KeyValueCache()
    use_bias: bool | Biases = True
    dropout_rate: float = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    out_kernel_init: Initializer | None = None

    @property
    def sees_ahead(self) -> bool:
        """Unless the mask is causal."""
        return self.mask is None or not self.mask.causal

    def check_fields(self) -> None:
        """Refuses heads that do not divide, and sizes and rates that cannot be."""
        for name in ("num_heads", "num_kv_heads", "head_dim", "features"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"{name}={size} must be at least 1.")
        if self.num_kv_heads and self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_kv_heads={self.num_kv_heads} must divide num_heads={self.num_heads}; "
                f"use {divisors(self.num_heads)}."
            )
        if not 0.0 <= self.dropout_rate < 1.0:
            raise ValueError(f"dropout_rate={self.dropout_rate} must be at least 0 and below 1.")
        self.cache.check_mask(self.mask)
        check_kernel(
            self.kernel,
            self._placed()[1],
            mask=self.mask,
            head_dim=self.head_dim,
            dtype=None if self.dtype is None else jnp.dtype(self.dtype).name,
            dropout=self.dropout_rate > 0.0,
        )

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> AndCarry[Float[Array, "batch seq features"]]:
        """Attends within `x`, and to the tokens of earlier calls where a cache is on."""
        head_dim = self._head_dim(x.shape[-1])
        query = self._project("query", x, head_dim)
        key = self._project("key", x, head_dim)
        value = self._project("value", x, head_dim)
        value, after = self._transform_value(value, context)

        cache = self._cache(context, key, value)
        at = locate(context, *x.shape[:2]) if cache is None else cache.locate(context, x.shape[1])
        key_at = at
        query, key = self._transform(query, key, at, at)
        if cache is not None:
            key, value, key_at = cache.extend(key, value, at)
        mixed, after = self._attend(query, key, value, at, key_at, after, deterministic)
        return join_carry(self._out(mixed, x), after, context)

    def _project(self, name: str, x: Array, head_dim: int) -> Array:
        heads = self.num_heads if name == "query" else self.num_kv_heads or self.num_heads
        return Linear(
            features=(heads, head_dim),
            use_bias=getattr(self._biases(), name),
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name=name,
        )(x)

    def _transform(
        self, query: Array, key: Array, query_at: Coordinates, key_at: Coordinates
    ) -> tuple[Array, Array]:
        for transform in self._placed()[0]:
            query, key = transform(query, key, query_at, key_at)
        return query, key

    def _transform_value(
        self, value: Array, context: Context | None
    ) -> tuple[Array, Context | None]:
        for transform in self.transforms:
            if isinstance(transform, ValueTransform):
                value, context = split_carry(transform(value, context), context)
        return value, context

    def _attend(
        self,
        query: Array,
        key: Array,
        value: Array,
        query_at: Coordinates,
        key_at: Coordinates,
        context: Context | None,
        deterministic: bool,
    ) -> tuple[Array, Context | None]:
        told, after = score_options(self._placed()[1], self.num_heads, context)
        drop = self.dropout_rate > 0.0 and not deterministic
        mixed = observed(self, self.kernel, lambda k: self._attention(k, query.shape[-1]))(
            query,
            key,
            value,
            query_at,
            key_at,
            mask=self.mask,
            **told,
            dropout_rate=self.dropout_rate if drop else 0.0,
            dropout_key=self.make_rng("dropout") if drop else None,
        )
        return mixed, after

    def _attention(self, kernel: Kernel, head_dim: int) -> Kernel:
        """What attends; siblings make another of the kernel."""
        return kernel

    def _out(self, mixed: Array, x: Array) -> Array:
        for transform in self.transforms:
            if isinstance(transform, HeadTransform):
                mixed = transform(mixed, x)
        return Linear(
            features=(self.features or x.shape[-1],),
            axes=2,
            use_bias=self._biases().out,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.out_kernel_init or self.kernel_init,
            name="out",
        )(mixed)

    def _placed(self) -> tuple[tuple[QKTransform, ...], tuple[ScoreModification, ...]]:
        """The changes of queries and keys and those of scores, with `position` at its place."""
        last = (self.position,) if isinstance(self.position, QKTransform) else ()
        first = (self.position,) if isinstance(self.position, ScoreModification) else ()
        ours = tuple(t for t in self.transforms if isinstance(t, QKTransform))
        return (*ours, *last), (*first, *self.scores)

    def _biases(self) -> Biases:
        return self.use_bias if isinstance(self.use_bias, Biases) else Biases(*[self.use_bias] * 4)

    def _head_dim(self, embed: int) -> int:
        if self.head_dim is not None:
            return self.head_dim
        if embed % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide embed={embed}; "
                f"use {divisors(embed)}, or give head_dim."
            )
        return embed // self.num_heads

    def _cache(self, context: Context | None, key: Array, value: Array) -> CacheVariable | None:
        return cache_variable(self, self.cache, self.mask, context, key, value)
