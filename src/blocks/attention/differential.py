"""Differential attention: two softmax maps for each head, one subtracted from the other."""

import math
from typing import Annotated, Any

import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.attention.kernels import Kernel, dot_product_attention
from blocks.attention.multi_head import MultiHeadAttention
from blocks.attention.scores import Modification, ScoreModification
from blocks.context import Coordinates
from blocks.core.bounds import at_least
from blocks.core.errors.words import divisors
from blocks.core.initializers import Normal
from blocks.core.typing import Array, Float, typed
from blocks.norms.rms_norm import RMSNorm


@typed
def differential_attention(
    query: Float[Array, "batch q_seq heads 2 head_dim"],
    key: Float[Array, "batch kv_seq kv_heads 2 head_dim"],
    value: Float[Array, "batch kv_seq kv_heads value_dim"],
    query_at: Coordinates,
    key_at: Coordinates,
    *,
    weight: Float[Array, ""],
    kernel: Kernel = dot_product_attention,
    scale: float | None = None,
    modifications: tuple[Modification, ...] = (),
    sinks: Float[Array, "heads"] | None = None,
    **options: Any,
) -> Float[Array, "batch q_seq heads value_dim"]:
    r"""Attention with two softmax maps per head, the second subtracted with factor `weight`.

    Both maps are one call of `kernel`, with twice the heads. The two keys of a head stay side by
    side, and each query is padded with zeros in the half of the other map: all heads of the call
    then share values as they are cached, and values are as wide as keys, as some kernels require.
    Scores are computed at twice the width, which makes the products a third larger than those of
    two calls with keys half as wide as values. Both maps of a head share its score modifications
    and its sink.
    """
    batch, q_seq, heads, _, head_dim = query.shape
    none = jnp.zeros_like(query[..., 0, :])
    first = jnp.concatenate([query[..., 0, :], none], axis=-1)
    second = jnp.concatenate([none, query[..., 1, :]], axis=-1)
    mixed = kernel(
        jnp.stack([first, second], axis=3).reshape(batch, q_seq, 2 * heads, 2 * head_dim),
        key.reshape(*key.shape[:3], 2 * head_dim),
        value,
        query_at,
        key_at,
        scale=head_dim**-0.5 if scale is None else scale,
        modifications=tuple(
            Modification(BothMaps(of=one.block), one.parameters) for one in modifications
        ),
        sinks=None if sinks is None else jnp.repeat(sinks, 2),
        **options,
    ).reshape(batch, q_seq, heads, 2, value.shape[-1])
    return mixed[..., 0, :] - weight.astype(mixed.dtype) * mixed[..., 1, :]


class BothMaps(ScoreModification, kw_only=True):
    """A score modification applied to both maps of each head.

    Attributes:
        of: the score modification, which expects one map per head.
    """

    of: ScoreModification

    def modify(
        self, scores: Array, parameters: Any, query_at: Coordinates, key_at: Coordinates
    ) -> Array:
        """Modify the first maps of all heads, and the second."""
        maps = [
            self.of.modify(scores[:, place::2], parameters, query_at, key_at) for place in (0, 1)
        ]
        return jnp.stack(maps, axis=2).reshape(scores.shape)


class DifferentialAttention(MultiHeadAttention, kw_only=True):
    r"""Differential attention: two softmax maps per head, subtracted to cancel common noise.

    $$o_h = (1 - \lambda_0)\, \mathrm{norm}\!\left(\left(
    \mathrm{softmax}\!\left(\frac{q_{h1} k_{h1}^\top}{\sqrt{d}}\right) - \lambda\,
    \mathrm{softmax}\!\left(\frac{q_{h2} k_{h2}^\top}{\sqrt{d}}\right)\right) v_h\right)$$

    $$\lambda = e^{\lambda_{q1} \cdot \lambda_{k1}} - e^{\lambda_{q2} \cdot \lambda_{k2}} +
    \lambda_0, \qquad \lambda_0 = 0.8 - 0.6\, e^{-0.3 (l - 1)}$$

    `norm` is an RMSNorm over the features of one head, with factors that the heads share.
    Otherwise the block is a `MultiHeadAttention`, fields included. It works with any kernel, and a
    cache stores each value once. In the weights `query/kernel` and `key/kernel` the features of
    both maps of a head stand side by side. Use half the heads of a `MultiHeadAttention`: each is
    twice as wide.

    Attributes:
        layer: number $l$ of the layer, from 1; the initial weight of the second map grows with it.
            A `Stack` whose block is the tuple of all its layers gives each its own number; a block
            that repeats gives all the same, which the paper finds to cost little.
        head_dim: features $d$ of a query, half of a value's; None takes `embed / num_heads / 2`.

    Raises:
        ValueError: fields as in `MultiHeadAttention`, or a layer below 1.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, DifferentialAttention
        >>> attention = DifferentialAttention(num_heads=2, layer=1, mask=Causal())
        >>> variables = jax.jit(attention.init)(jax.random.key(0), jnp.ones((1, 3, 32)))
        >>> [variables["params"][name]["kernel"].shape for name in ("query", "key", "value")]
        [(32, 2, 16), (32, 2, 16), (32, 2, 16)]

        ```

    References:
        Ye et al., Differential Transformer, 2024, arXiv:2410.05258. With fewer key heads than query
        heads both maps keep keys of their own, as in its code for FlashAttention.
    """

    layer: Annotated[int, at_least(1, "; the first layer is 1")]

    @property
    def lambda_init(self) -> float:
        r"""The initial weight of the second map, $\lambda_0$."""
        return 0.8 - 0.6 * math.exp(-0.3 * (self.layer - 1))

    def _widths(self) -> dict[str, Any]:
        width = None if self.head_dim is None else 2 * self.head_dim
        return {"head_dim": width, "value_dim": width}

    def _head_dim(self, embed: int) -> int:
        if self.head_dim is not None:
            return 2 * self.head_dim
        if embed % 2:
            raise ValueError(
                f"embed={embed} is odd, and every head has two queries; make it even, or give "
                "head_dim."
            )
        if embed % (2 * self.num_heads):
            raise ValueError(
                f"num_heads={self.num_heads} must divide half of embed={embed}, as every head has "
                f"two queries; use {divisors(embed // 2)}, or give head_dim."
            )
        return embed // self.num_heads

    def _transform_qk(
        self, query: Array, key: Array, inputs: AttentionInputs
    ) -> tuple[Array, Array]:
        query, key = super()._transform_qk(_apart(query), _apart(key), inputs)
        return _together(query), _together(key)

    def _adapt(self, kernel: Kernel, head_dim: int) -> Kernel:
        q1, k1, q2, k2 = (
            self.param(f"lambda_{name}", Normal(0.1), (head_dim // 2,), self.param_dtype)
            for name in ("q1", "k1", "q2", "k2")
        )
        weight = jnp.exp((q1 * k1).sum()) - jnp.exp((q2 * k2).sum()) + self.lambda_init

        def attend(query: Array, key: Array, value: Array, *at: Any, **options: Any) -> Array:
            query, key = (x.reshape(*x.shape[:3], 2, head_dim // 2) for x in (query, key))
            return differential_attention(
                query, key, value, *at, weight=weight, kernel=kernel, **options
            )

        return attend

    def _merge(self, mixed: Array, inputs: AttentionInputs) -> Array:
        norm = RMSNorm(epsilon=1e-5, param_dtype=self.param_dtype, name="head_norm")
        return super()._merge((1.0 - self.lambda_init) * norm(mixed), inputs)


def _apart(x: Array) -> Array:
    """Treat the two maps of every head as separate heads."""
    return x.reshape(*x.shape[:2], 2 * x.shape[2], x.shape[3] // 2)


def _together(x: Array) -> Array:
    return x.reshape(*x.shape[:2], x.shape[2] // 2, 2 * x.shape[3])
