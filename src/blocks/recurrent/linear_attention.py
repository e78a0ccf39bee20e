"""`LinearAttention`: attention by products of features, with a state of fixed size."""

from blocks.attention.masks import Bidirectional, Causal, Mask, visible
from blocks.attention.multi_head import Biases
from blocks.context import Context
from blocks.core.block import fresh
from blocks.core.bounds import Size
from blocks.core.leave import leave
from blocks.core.slots import Template
from blocks.core.typing import Array
from blocks.linear import Linear
from blocks.recurrent.features import EluFeatures, FeatureMap
from blocks.recurrent.mixer import RecurrentInputs, RecurrentMixer
from blocks.recurrent.products import averaged, causal_sums, counted, full_sums, linear_weights


class LinearAttention(RecurrentMixer, kw_only=True):
    r"""Linear attention: products of features instead of a softmax, with a state of fixed size.

    $$y_t = \frac{\sum_{s \le t} \phi(q_t)^\top \phi(k_s)\, v_s}
    {\sum_{s \le t} \phi(q_t)^\top \phi(k_s)} = \frac{\phi(q_t)^\top S_t}{\phi(q_t)^\top z_t},
    \qquad S_t = S_{t-1} + \phi(k_t) v_t^\top, \quad z_t = z_{t-1} + \phi(k_t)$$

    Time is linear in length, and decoding keeps $S$ and $z$ instead of all keys and values, so the
    cache is never full. Documents in a packed batch must follow one another.

    Attributes:
        num_kv_heads: number of key and value heads; None takes `num_heads`.
        feature_map: template of the maps $\phi$, one for queries and one for keys.
        mask: `Causal()`, or `Bidirectional()` or None, which make all keys visible.
        qk: transforms of queries and keys before $\phi$, in order, such as `(QKNorm(),)`.
        position: transform of queries and keys by position, such as `RoPE()`; after `qk` and before
            $\phi$, so that weights stay positive and sum to 1.
        use_bias: learn biases in all projections, or in those that a `Biases` names.

    Raises:
        ValueError: heads that do not divide, a size below 1, a mask without a linear form, or a
            cache with a mask that is not causal.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, Context, LinearAttention
        >>> attention = LinearAttention(num_heads=4, mask=Causal())
        >>> x, context = jnp.ones((1, 30, 32)), Context(cache_size=30)
        >>> _, variables = jax.jit(attention.init_with_output)(jax.random.key(0), x, context)
        >>> variables["cache"]["recurrent"].state.shape       # 8 features, 8 values and their sum
        (1, 4, 8, 9)

        ```

    References:
        Katharopoulos et al., Transformers are RNNs, 2020, arXiv:2006.16236.
        Hua et al., Transformer Quality in Linear Time, 2022, arXiv:2202.10447 (chunks).
    """

    num_kv_heads: Size | None = None
    feature_map: Template[FeatureMap] = EluFeatures()
    mask: Mask | None = None
    use_bias: bool | Biases = True

    @property
    def sees_ahead(self) -> bool:
        """Whether outputs may depend on later positions: unless the mask is causal."""
        return self.mask is None or not self.mask.causal

    def check_fields(self) -> None:
        """Validate sizes and heads, and that the mask has a linear form."""
        self.check_shared("num_kv_heads")
        if not (self.mask is None or isinstance(self.mask, (Causal, Bidirectional))):
            raise ValueError(
                f"mask={self.mask} has no linear form, as a state sums up all that came before; "
                "use Causal() or Bidirectional(), or MultiHeadAttention for this mask. Padding and "
                "documents of the call are kept apart without a mask."
            )

    def check_cache(self) -> None:
        """Refuse a mask that is not causal."""
        if self.sees_ahead:
            raise ValueError(
                f"mask={self.mask} can see ahead, which a cache of past tokens cannot serve; "
                "use Causal(), or leave cache_size out of the context."
            )

    def project(self, x: Array, context: Context | None) -> tuple[Array, Array, Array]:
        """Project to query heads, and to key and value heads, of which there may be fewer."""
        head_dim = self.width(x.shape[-1])
        kv_heads = self.num_kv_heads or self.num_heads
        query = self.linear("query", (self.num_heads, head_dim))(x)
        key, value = (self.linear(n, (kv_heads, head_dim))(x) for n in ("key", "value"))
        return query, key, value

    def mix(
        self, query: Array, key: Array, value: Array, inputs: RecurrentInputs
    ) -> tuple[Array, Array | None]:
        """Average values, weighted by products of features."""
        at = inputs.query_at
        query, key = self._features(query, key)
        if inputs.context.cache_size is None:  # otherwise keys of earlier calls would be missing
            mask = visible(self.mask, at, at)
            leave(self, "attention_weights", lambda: linear_weights(query, key, mask))
        values = counted(value, at.valid)
        if self.sees_ahead:
            runs = None if at.segment_ids is None else inputs.runs
            return averaged(full_sums(query, key, values, runs, self.chunk_size)), None
        past = inputs.runs, inputs.state
        sums, state = causal_sums(query, key, values, *past, self.chunk_size)
        return averaged(sums), state

    def linear(
        self, name: str, features: tuple[int, ...], axes: int = 1, use_bias: bool = False
    ) -> Linear:
        """Create one of the projections, with a bias if `use_bias` says so."""
        biases = self.use_bias
        use_bias = getattr(biases, name) if isinstance(biases, Biases) else biases
        return super().linear(name, features, axes, use_bias)

    def _features(self, query: Array, key: Array) -> tuple[Array, Array]:
        return (
            fresh(self.feature_map, name="query_features")(query),
            fresh(self.feature_map, name="key_features")(key),
        )
