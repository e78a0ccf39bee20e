"""`MultiHeadAttention`: multi-head, grouped-query and multi-query attention."""

from typing import Any, NamedTuple

from blocks.attention.attention import Attention
from blocks.attention.qk import QKTransform
from blocks.attention.values import ValueTransform
from blocks.core.bounds import Size
from blocks.core.errors.words import divisors
from blocks.core.typing import Array, Initializer
from blocks.linear import Linear


class Biases(NamedTuple):
    """Which projections of an attention block learn a bias.

    Attributes:
        query: bias in the projection to queries.
        key: bias in the projection to keys.
        value: bias in the projection to values.
        out: bias in the output projection.
    """

    query: bool = True
    key: bool = True
    value: bool = True
    out: bool = True


class MultiHeadAttention(Attention, kw_only=True):
    r"""Multi-head attention: heads attend in parallel, and a projection mixes their outputs.

    $$y = \mathrm{concat}_h\!\left(\mathrm{softmax}\!\left(\frac{q_h k_{g(h)}^\top}{\sqrt{d}}
    \right) v_{g(h)}\right) W_o$$

    With fewer key heads than query heads it is grouped-query attention, with one key head
    multi-query attention: query heads share key heads in consecutive groups $g(h)$.

    Attributes:
        num_heads: number of query heads.
        num_kv_heads: number of key and value heads; None takes `num_heads`.
        head_dim: features $d$ of a head; None takes `embed / num_heads`.
        mask: which keys are visible to which queries; None makes all visible.
        qk: transforms of queries and keys, in order, such as `(QKNorm(),)`.
        position: transform of queries and keys by position, such as `RoPE()`; applied after `qk`.
        values: transforms of values, in order, such as `(ValueResidual(),)`.
        gate: transform of the heads' outputs before the output projection, such as `OutputGate()`.
        scores: score modifications, in order, such as `(SoftCap(cap=50.0),)` or `(ALiBi(),)`.
        scale: factor on the product of query and key; None takes $1/\sqrt{d}$.
        sinks: logits that join the softmax without a value, such as `LearnedSinks()`.
        implementation: attention kernel: `dot_product_attention`, `ChunkedAttention()`,
            `CudnnAttention()`, or `Auto()`, which chooses.
        cache: cache of keys and values for decoding, such as `RingCache()` for a sliding window.
        use_bias: learn biases in all projections, or in those that a `Biases` names.
        dropout_rate: dropout probability on attention weights.
        dtype: dtype of the computation; None infers it from input and parameters. The softmax is
            float32.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the projections' weights.
        out_kernel_init: initialiser of the output projection's weights; None takes `kernel_init`.

    Raises:
        ValueError: heads that do not divide, a size below 1, a rate outside [0, 1), two parts of
            one name, an implementation that does not support an option, a cache with a mask that
            is not causal or looks back farther than the cache keeps, or a full cache.
        TypeError: an implementation without the signature of a kernel.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, MultiHeadAttention
        >>> attention = MultiHeadAttention(num_heads=4, num_kv_heads=2, mask=Causal())
        >>> x = jnp.ones((1, 3, 32))
        >>> variables = jax.jit(attention.init)(jax.random.key(0), x)
        >>> jax.tree.map(jnp.shape, variables["params"]["key"])
        {'bias': (2, 8), 'kernel': (32, 2, 8)}

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.2.2.
        Shazeer, Fast Transformer Decoding, 2019, arXiv:1911.02150.
        Ainslie et al., GQA, 2023, arXiv:2305.13245.
    """

    qk: tuple[QKTransform, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    values: tuple[ValueTransform, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    num_kv_heads: Size | None = None
    head_dim: Size | None = None
    use_bias: bool | Biases = True
    out_kernel_init: Initializer | None = None

    def check_fields(self) -> None:
        """Validate that heads divide, and options."""
        if self.num_kv_heads and self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_kv_heads={self.num_kv_heads} must divide num_heads={self.num_heads}; "
                f"use {divisors(self.num_heads)}."
            )
        super().check_fields()

    def _widths(self) -> dict[str, Any]:
        return {"head_dim": self.head_dim}

    def _project(self, x: Array) -> tuple[Array, Array, Array]:
        head_dim = self._head_dim(x.shape[-1])
        query, key, value = (self._heads(n, x, head_dim) for n in ("query", "key", "value"))
        return query, key, value

    def _heads(self, name: str, x: Array, head_dim: int) -> Array:
        """Create the projection to queries, keys or values."""
        heads = self.num_heads if name == "query" else self.num_kv_heads or self.num_heads
        return self._linear(name, (heads, head_dim))(x)

    def _out(self, mixed: Array, features: int) -> Array:
        return self._linear("out", (features,), axes=2)(mixed)

    def _linear(self, name: str, features: tuple[int, ...], axes: int = 1) -> Linear:
        biases = self.use_bias
        own = self.out_kernel_init if name == "out" else None
        return Linear(
            features=features,
            axes=axes,
            use_bias=getattr(biases, name) if isinstance(biases, Biases) else biases,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=own or self.kernel_init,
            name=name,
        )

    def _head_dim(self, embed: int) -> int:
        if self.head_dim is not None:
            return self.head_dim
        if embed % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide embed={embed}; "
                f"use {divisors(embed)}, or give head_dim."
            )
        return embed // self.num_heads
