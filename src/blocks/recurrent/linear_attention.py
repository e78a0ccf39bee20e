"""Linear attention: the softmax replaced by products of features, the past by a state."""

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.attention.masks import Bidirectional, Causal, Mask, visible
from blocks.attention.multi_head import Biases
from blocks.attention.qk import QKTransform
from blocks.context import Context, Coordinates, locate
from blocks.core.block import Block, fresh
from blocks.core.errors.words import divisors
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.introspection.leave import leave
from blocks.linear import Linear
from blocks.recurrent.chunking import document_runs
from blocks.recurrent.features import EluFeatures, FeatureMap
from blocks.recurrent.products import (
    averaged,
    causal_sums,
    counted,
    full_sums,
    linear_weights,
)
from blocks.recurrent.state import RecurrentState


class LinearAttention(Block, kw_only=True):
    r"""Weighs by products of features, which a state of fixed size can sum up.

    $$y_t = \frac{\sum_{s \le t} \phi(q_t)^\top \phi(k_s)\, v_s}
    {\sum_{s \le t} \phi(q_t)^\top \phi(k_s)} = \frac{\phi(q_t)^\top S_t}{\phi(q_t)^\top z_t},
    \qquad S_t = S_{t-1} + \phi(k_t) v_t^\top, \quad z_t = z_{t-1} + \phi(k_t)$$

    Time is linear in length, and decoding keeps $S$ and $z$ instead of all keys and values: its
    cache is never full. Documents have to stand one after the other, as packing leaves them.

    Attributes:
        num_heads: query heads.
        num_kv_heads: heads of keys and values; None takes `num_heads`.
        head_dim: features of a head; None takes `embed / num_heads`.
        features: width of the result; None takes the input's.
        feature_map: template of the maps $\phi$, one of queries and one of keys.
        mask: `Causal()`, or `Bidirectional()` or None, which see all.
        position: where tokens stand, as `RoPE()`; applied after `qk` and before $\phi$, so
            that weights stay positive and still sum to one.
        qk: changes of queries and keys before $\phi$, in order.
        chunk_size: tokens whose products are computed at once; time and memory, not results.
        use_bias: learn biases, in all projections or by `Biases` in some.
        dtype: of the projections; None infers it. Features, sums and the state are float32.
        param_dtype: of the parameters.
        kernel_init: of the kernels.
        out_kernel_init: of the output projection; None takes `kernel_init`.

    Raises:
        ValueError: heads that do not divide, a size below 1, a mask without a linear form, or a
            cache with a mask that sees ahead.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, Context, LinearAttention
        >>> attention = LinearAttention(num_heads=4, mask=Causal())
        >>> x, context = jnp.ones((1, 30, 32)), Context(cache_size=30)
        >>> _, variables = attention.init_with_output(jax.random.key(0), x, context)
        >>> variables["cache"]["recurrent"].state.shape       # 8 features, 8 values and their sum
        (1, 4, 8, 9)

        ```

    References:
        Katharopoulos et al., Transformers are RNNs, 2020, arXiv:2006.16236.
        Hua et al., Transformer Quality in Linear Time, 2022, arXiv:2202.10447 (chunks).
    """

    num_heads: int
    num_kv_heads: int | None = None
    head_dim: int | None = None
    features: int | None = None
    feature_map: FeatureMap = EluFeatures()
    mask: Mask | None = None
    position: QKTransform | None = None
    qk: tuple[QKTransform, ...] = ()
    chunk_size: int = 64
    use_bias: bool | Biases = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    out_kernel_init: Initializer | None = None

    @property
    def sees_ahead(self) -> bool:
        """Unless the mask is causal."""
        return self.mask is None or not self.mask.causal

    def check_fields(self) -> None:
        """Refuses heads that do not divide, sizes that cannot be, and masks without a state."""
        for name in ("num_heads", "num_kv_heads", "head_dim", "features", "chunk_size"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"{name}={size} must be at least 1.")
        if self.num_kv_heads and self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_kv_heads={self.num_kv_heads} must divide num_heads={self.num_heads}; "
                f"use {divisors(self.num_heads)}."
            )
        if not (self.mask is None or isinstance(self.mask, (Causal, Bidirectional))):
            raise ValueError(
                f"mask={self.mask} has no linear form, as a state sums up all that came before; "
                "use Causal() or Bidirectional(), or MultiHeadAttention for this mask. Padding and "
                "documents of the call are kept apart without a mask."
            )

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq features"]:
        """Mixes within `x`, and with the tokens of earlier calls where a cache is on."""
        if self.head_dim is None and x.shape[-1] % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide embed={x.shape[-1]}; "
                f"use {divisors(x.shape[-1])}, or give head_dim."
            )
        head_dim = self.head_dim or x.shape[-1] // self.num_heads
        kv_heads = self.num_kv_heads or self.num_heads
        query = self._project("query", x, (self.num_heads, head_dim))
        key = self._project("key", x, (kv_heads, head_dim))
        value = self._project("value", x, (kv_heads, head_dim))

        kept = self._kept(context)
        at = locate(context, *x.shape[:2]) if kept is None else kept.locate(context, x.shape[1])
        inputs = AttentionInputs(x, context or Context(), deterministic, at, at)
        for transform in self.qk if self.position is None else (*self.qk, self.position):
            query, key = transform(query, key, inputs)
        mixed, after = self._mix(query, key, value, at, kept)
        if context is not None and context.cache_size is not None:
            self.put_variable("cache", "recurrent", after)
        return self._project("out", mixed, (self.features or x.shape[-1],), axes=2)

    def _mix(
        self, query: Array, key: Array, value: Array, at: Coordinates, kept: RecurrentState | None
    ) -> tuple[Array, RecurrentState | None]:
        """The heads' results, and what is kept of all tokens where the mask is causal."""
        query, key = self._features(query, key)
        if kept is None:  # else keys of earlier calls would be missing
            seen = visible(self.mask, at, at)
            leave(self, "attention_weights", lambda: linear_weights(query, key, seen))
        values = counted(value, at.valid)
        batch, _, kv_heads, features = key.shape
        if kept is None:
            kept = RecurrentState.start(batch, kv_heads, features, values.shape[-1])
        runs, segment_ids = document_runs(at, batch, kept.segment_ids)
        if self.sees_ahead:
            runs = None if at.segment_ids is None else runs
            sums = full_sums(query, key, values, runs, self.chunk_size)
            return averaged(sums).astype(value.dtype), None
        sums, state = causal_sums(query, key, values, runs, kept.state, self.chunk_size)
        return averaged(sums).astype(value.dtype), kept.after(at, state, segment_ids)

    def _features(self, query: Array, key: Array) -> tuple[Array, Array]:
        return (
            fresh(self.feature_map, name="query_features")(query),
            fresh(self.feature_map, name="key_features")(key),
        )

    def _kept(self, context: Context | None) -> RecurrentState | None:
        if context is None or context.cache_size is None:
            return None
        if self.sees_ahead:
            raise ValueError(
                f"mask={self.mask} can see ahead, which a cache of past tokens cannot serve; "
                "use Causal(), or leave cache_size out of the context."
            )
        return self.get_variable("cache", "recurrent")

    def _project(self, name: str, x: Array, features: tuple[int, ...], axes: int = 1) -> Array:
        use_bias = self.use_bias
        own = self.out_kernel_init if name == "out" else None
        return Linear(
            features=features,
            axes=axes,
            use_bias=getattr(use_bias, name) if isinstance(use_bias, Biases) else use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=own or self.kernel_init,
            name=name,
        )(x)
