"""`LatentAttention`: keys and values of all heads from one short vector per token."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.attention.attention import Attention, Sides
from blocks.attention.inputs import AttentionInputs
from blocks.attention.qk import QKTransform
from blocks.core.block import Block, fresh
from blocks.core.bounds import Size
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import Norm, Template
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear
from blocks.norms.rms_norm import RMSNorm
from blocks.positions.rotary import RoPE


@typed
def absorb(
    query: Float[Array, "batch seq heads head_dim"],
    kernel: Float[Array, "kv_rank heads head_dim"],
) -> Float[Array, "batch seq heads kv_rank"]:
    r"""Map queries for keys to queries for latents: $q^\top (W c) = (W^\top q)^\top c$."""
    query, kernel = promote_dtype(query, kernel, dtype=query.dtype)
    return jnp.einsum("bshd,rhd->bshr", query, kernel)


@typed
def unfold(
    latents: Float[Array, "batch seq heads kv_rank"],
    kernel: Float[Array, "kv_rank heads head_dim"],
) -> Float[Array, "batch seq heads head_dim"]:
    r"""Map a mean of latents to a mean of values: $\sum_j w_j (W c_j) = W \sum_j w_j c_j$."""
    latents, kernel = promote_dtype(latents, kernel, dtype=latents.dtype)
    return jnp.einsum("bshr,rhd->bshd", latents, kernel)


class LatentAttention(Attention, kw_only=True):
    r"""Multi-head latent attention: keys and values come from one latent of `kv_rank` features.

    $$c = \mathrm{norm}(x W_{DKV}), \quad k_h = [c\,W_{UK,h};\, \mathrm{rot}(x W_{KR})],
    \quad v_h = c\,W_{UV,h}$$
    $$q_h = [q^C_h;\, \mathrm{rot}(q^R_h)], \quad
    [q^C_h; q^R_h] = \mathrm{norm}(x W_{DQ})\,W_{UQ,h}$$
    $$y = \mathrm{concat}_h\!\left(\mathrm{softmax}\!\left(\frac{q_h k_h^\top}{\sqrt{d + r}}
    \right) v_h\right) W_o$$

    All heads share the rotary part of a key, so a cache keeps `kv_rank + rope_dim` numbers per
    token, however many heads there are. With a cache, $W_{UK}$ and $W_{UV}$ are applied to queries
    and results instead of keys and values, which are never computed: every head attends to the
    latents themselves.

    Parameters, with the paper's names: `query_down` ($W_{DQ}$), `query_norm` and `query_up`
    ($W_{UQ}$ and $W_{QR}$, content first), or `query` alone; `kv_down` ($W_{DKV}$), `kv_norm`,
    `key_rope` ($W_{KR}$), `key_up` ($W_{UK}$), `value_up` ($W_{UV}$), `out` ($W_O$).

    Attributes:
        num_heads: number of heads.
        head_dim: features $d$ of the content part of a head.
        rope_dim: features $r$ of the rotary part of a head, whose key all heads share.
        kv_rank: features of the latent of keys and values.
        q_rank: features of the latent of queries; None projects queries from the input.
        value_dim: features of a head's values; None takes `head_dim`.
        mask: which keys are visible to which queries; None makes all visible.
        position: transform of the rotary part by position; None leaves it as it is.
        gate: transform of the heads' outputs, before the output projection.
        scores: score modifications, in order.
        scale: factor on the product of query and key; None takes $1/\sqrt{d + r}$.
        sinks: logits that join the softmax without a value.
        implementation: attention kernel, which must support values of another width than keys.
        cache: cache of latents (as values) and rotary keys (as keys) for decoding.
        norm: template of the norms of the two latents.
        use_bias: learn biases in the projections down from the input, `key_rope` among them, and in
            the output projection, as DeepSeek's `attention_bias`.
        dropout_rate: dropout probability on attention weights.
        dtype: dtype of the computation; None infers it from input and parameters. The softmax is
            float32.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the weights.

    Raises:
        ValueError: a size below 1, a rate outside [0, 1), two parts of one name, an
            implementation that does not support an option, a cache with a mask that is not causal
            or looks back farther than the cache keeps, or a full cache.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, Context, LatentAttention
        >>> attention = LatentAttention(
        ...     num_heads=8, head_dim=16, rope_dim=8, kv_rank=24, q_rank=32, mask=Causal()
        ... )
        >>> x, context = jnp.ones((1, 3, 64)), Context(cache_size=5)
        >>> cache = jax.jit(attention.init)(jax.random.key(0), x, context)["cache"]["key_value"]
        >>> cache.values.shape, cache.keys.shape
        ((1, 5, 1, 24), (1, 5, 1, 8))

        ```

    References:
        DeepSeek-AI, DeepSeek-V2, 2024, arXiv:2405.04434, section 2.1 and appendix C.
    """

    head_dim: Size
    rope_dim: Size
    kv_rank: Size
    q_rank: Size | None = None
    value_dim: Size | None = None
    position: QKTransform | None = RoPE()
    norm: Template[Norm] = RMSNorm()
    use_bias: bool = False

    def check_fields(self) -> None:
        """Validate that features turn in pairs, and options."""
        if isinstance(self.position, RoPE):
            turning = int(self.rope_dim * self.position.fraction)
            if turning % 2:
                raise ValueError(
                    f"rope_dim={self.rope_dim} with position={self.position} turns {turning} "
                    "features, which are no pairs; make the number even."
                )
        super().check_fields()

    def _widths(self) -> dict[str, Any]:
        width = self.head_dim + self.rope_dim
        return {"head_dim": width, "value_dim": self.value_dim or self.head_dim}

    def _scale(self) -> float:
        """The factor on scores, with or without a cache; by default that of uncached queries."""
        return (self.head_dim + self.rope_dim) ** -0.5 if self.scale is None else self.scale

    def _project(self, x: Array) -> tuple[Array, Array, Array]:
        """Project to queries, and to rotary keys and latents as a cache keeps them."""
        query = self._query(x)
        key = self._linear("key_rope", (1, self.rope_dim))(x)
        latent = fresh(self.norm, name="kv_norm")(self._linear("kv_down", (self.kv_rank,))(x))
        return query, key, latent[:, :, None].astype(key.dtype)

    def _query(self, x: Array) -> Array:
        heads = (self.num_heads, self.head_dim + self.rope_dim)
        if self.q_rank is None:
            return self._linear("query", heads)(x)
        latent = self._linear("query_down", (self.q_rank,))(x)
        return self._linear("query_up", heads)(fresh(self.norm, name="query_norm")(latent))

    def _transform_qk(
        self, query: Array, key: Array, inputs: AttentionInputs
    ) -> tuple[Array, Array]:
        content, rotary = jnp.split(query, [self.head_dim], axis=-1)
        rotary, key = super()._transform_qk(rotary, key, inputs)
        return jnp.concatenate([content, rotary], axis=-1), key

    def _attend(self, sides: Sides) -> tuple[Array, AttentionInputs]:
        query, rotary, latent, key_at, inputs = sides
        key_up = self._up("key_up", latent, self.head_dim)
        value_up = self._up("value_up", latent, self.value_dim or self.head_dim)
        if inputs.context.cache_size is None:
            rotary, latents = (jnp.repeat(x, self.num_heads, axis=2) for x in (rotary, latent))
            key, value = unfold(latents, key_up), unfold(latents, value_up)
        else:
            content, own = jnp.split(query, [self.head_dim], axis=-1)
            query = jnp.concatenate([absorb(content, key_up), own], axis=-1)
            key, value = latent, latent
        key = jnp.concatenate([key, rotary], axis=-1)
        mixed, inputs = super()._attend(Sides(query, key, value, key_at, inputs))
        return mixed if inputs.context.cache_size is None else unfold(mixed, value_up), inputs

    def _out(self, mixed: Array, features: int) -> Array:
        return self._linear("out", (features,), axes=2)(mixed)

    def _linear(self, name: str, features: tuple[int, ...], axes: int = 1) -> Linear:
        return Linear(
            features=features,
            axes=axes,
            use_bias=self.use_bias and name in ("query_down", "kv_down", "key_rope", "out"),
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name=name,
        )

    def _up(self, name: str, latent: Array, features: int) -> Array:
        weights = UpProjection(
            features=(self.num_heads, features),
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name=name,
        )(latent)
        return weights.astype(latent.dtype)


class UpProjection(Block, kw_only=True):
    """The weights of an up-projection from latents to heads, applied by the caller.

    Attributes:
        features: number of heads, and features of each.
        param_dtype: dtype of the weights.
        kernel_init: initialiser of the weights, drawn as a matrix of inputs x outputs.
    """

    features: tuple[int, int]
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(self, latent: Float[Array, "*batch kv_rank"]) -> Float[Array, "kv_rank heads dim"]:
        """The weights for latents of this width."""
        (rank,), (heads, dim) = latent.shape[-1:], self.features

        def draw(key: Array) -> Array:
            kernel = self.kernel_init(key, (rank, heads * dim), self.param_dtype)
            return kernel.reshape(rank, heads, dim)

        return self.param("kernel", draw)
