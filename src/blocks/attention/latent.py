"""Latent attention: keys and values of all heads from one short vector per token."""

import flax.linen as nn
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.attention.caches.cache import Cache
from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.caches.variable import cache_variable
from blocks.attention.kernels import Kernel, dot_product_attention
from blocks.attention.masks import Mask
from blocks.attention.observed import observed
from blocks.attention.slots import QKTransform, ScoreModification, check_kernel, score_options
from blocks.carry import AndCarry, join_carry
from blocks.context import Context, locate
from blocks.core.block import Block, fresh
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear
from blocks.norms.rms_norm import RMSNorm
from blocks.positions.rotary import RoPE


@typed
def absorb(
    query: Float[Array, "batch seq heads head_dim"],
    kernel: Float[Array, "kv_rank heads head_dim"],
) -> Float[Array, "batch seq heads kv_rank"]:
    r"""Queries for latents instead of keys: $q^\top (W c) = (W^\top q)^\top c$."""
    query, kernel = promote_dtype(query, kernel, dtype=query.dtype)
    return jnp.einsum("bshd,rhd->bshr", query, kernel)


@typed
def unfold(
    latents: Float[Array, "batch seq heads kv_rank"],
    kernel: Float[Array, "kv_rank heads head_dim"],
) -> Float[Array, "batch seq heads head_dim"]:
    r"""What a mix of latents is as a mix of values: $\sum_j w_j (W c_j) = W \sum_j w_j c_j$."""
    latents, kernel = promote_dtype(latents, kernel, dtype=latents.dtype)
    return jnp.einsum("bshr,rhd->bshd", latents, kernel)


class LatentAttention(Block, kw_only=True):
    r"""Attends with keys and values that are made from one latent of `kv_rank` features per token.

    $$c = \mathrm{norm}(x W_{DKV}), \quad k_h = [c\,W_{UK,h};\, \mathrm{rot}(x W_{KR})],
    \quad v_h = c\,W_{UV,h}$$
    $$q_h = [q^C_h;\, \mathrm{rot}(q^R_h)], \quad
    [q^C_h; q^R_h] = \mathrm{norm}(x W_{DQ})\,W_{UQ,h}$$
    $$y = \mathrm{concat}_h\!\left(\mathrm{softmax}\!\left(\frac{q_h k_h^\top}{\sqrt{d + r}}
    \right) v_h\right) W_o$$

    The rotary part of a key is one for all heads, so a cache keeps `kv_rank + rope_dim` numbers
    per token, however many heads there are. With a cache, $W_{UK}$ and $W_{UV}$ are applied to
    queries and results instead of keys and values, which are never made: every head then attends
    to the latents themselves. No projection has a bias.

    Parameters, with the paper's names: `query_down` ($W_{DQ}$), `query_norm` and `query_up`
    ($W_{UQ}$ and $W_{QR}$, content first), or `query` alone; `kv_down` ($W_{DKV}$), `kv_norm`,
    `key_rope` ($W_{KR}$), `key_up` ($W_{UK}$), `value_up` ($W_{UV}$), `out` ($W_O$).

    Attributes:
        num_heads: heads.
        head_dim: features $d$ of a head's content.
        rope_dim: features $r$ of a head that tell positions, and of the key that heads share.
        kv_rank: features of the latent of keys and values.
        q_rank: features of the latent of queries; None projects queries from the input.
        value_dim: features of a head's values; None takes `head_dim`.
        mask: which token sees which; None lets all see all.
        position: what turns the features that tell positions; None leaves them as they are.
        scores: as in `MultiHeadAttention`; `Scale` among them replaces $1/\sqrt{d + r}$.
        kernel: what attends; it needs values of another width than keys.
        cache: what keeps latents (as values) and rotary keys (as keys) between calls.
        norm: template of the norms of the two latents.
        dropout_rate: share of the attention weights dropped in training.
        dtype: of the computation; None infers it from input and parameters. Softmax is float32.
        param_dtype: of the parameters.
        kernel_init: of the kernels.

    Raises:
        ValueError: a size below 1, a rate outside [0, 1), a kernel that does not support an option,
            a cache with a mask that can see ahead, or farther than the cache keeps, or a full one.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, Context, LatentAttention
        >>> attention = LatentAttention(
        ...     num_heads=8, head_dim=16, rope_dim=8, kv_rank=24, q_rank=32, mask=Causal()
        ... )
        >>> x, context = jnp.ones((1, 3, 64)), Context(cache_size=5)
        >>> cache = attention.init(jax.random.key(0), x, context)["cache"]["key_value"]
        >>> cache.values.shape, cache.keys.shape
        ((1, 5, 1, 24), (1, 5, 1, 8))

        ```

    References:
        DeepSeek-AI, DeepSeek-V2, 2024, arXiv:2405.04434, section 2.1 and appendix C.
    """

    num_heads: int
    head_dim: int
    rope_dim: int
    kv_rank: int
    q_rank: int | None = None
    value_dim: int | None = None
    mask: Mask | None = None
    position: QKTransform | None = RoPE()
    scores: tuple[ScoreModification, ...] = ()
    kernel: Kernel = dot_product_attention
    cache: Cache = KeyValueCache()
    norm: nn.Module = RMSNorm()
    dropout_rate: float = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @property
    def sees_ahead(self) -> bool:
        """Unless the mask is causal."""
        return self.mask is None or not self.mask.causal

    def check_fields(self) -> None:
        """Refuses sizes and rates that cannot be, and options that do not go together."""
        for name in ("num_heads", "head_dim", "rope_dim", "kv_rank", "q_rank", "value_dim"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"{name}={size} must be at least 1.")
        if not 0.0 <= self.dropout_rate < 1.0:
            raise ValueError(f"dropout_rate={self.dropout_rate} must be at least 0 and below 1.")
        if isinstance(self.position, RoPE):
            turning = int(self.rope_dim * self.position.fraction)
            if turning % 2:
                raise ValueError(
                    f"rope_dim={self.rope_dim} with position={self.position} turns {turning} "
                    "features, which are no pairs; make the number even."
                )
        self.cache.check_mask(self.mask)
        check_kernel(
            self.kernel,
            self.scores,
            mask=self.mask,
            head_dim=self.head_dim + self.rope_dim,
            value_dim=self.value_dim or self.head_dim,
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
    ) -> AndCarry[Float[Array, "batch seq embed"]]:
        """Attends within `x`, and to the tokens of earlier calls where a cache is on."""
        query, query_rope = jnp.split(self._query(x), [self.head_dim], axis=-1)
        latent = fresh(self.norm, name="kv_norm")(self._project("kv_down", x, self.kv_rank))
        latent = latent[:, :, None]
        key_rope = self._project("key_rope", x, 1, self.rope_dim)
        key_up = self._up("key_up", latent, self.head_dim)
        value_up = self._up("value_up", latent, self.value_dim or self.head_dim)

        cache = cache_variable(self, self.cache, self.mask, context, key_rope, latent)
        at = locate(context, *x.shape[:2]) if cache is None else cache.locate(context, x.shape[1])
        key_at = at
        if self.position is not None:
            query_rope, key_rope = self.position(query_rope, key_rope, at, at)
        if cache is None:
            heads = jnp.repeat(latent, self.num_heads, axis=2)
            key, value = unfold(heads, key_up), unfold(heads, value_up)
            key_rope = jnp.repeat(key_rope, self.num_heads, axis=2)
        else:
            key_rope, latent, key_at = cache.extend(key_rope, latent, at)
            query, key, value = absorb(query, key_up), latent, latent

        drop = self.dropout_rate > 0.0 and not deterministic
        told, after = score_options(self.scores, self.num_heads, context)
        if told["scale"] is None:
            told["scale"] = (self.head_dim + self.rope_dim) ** -0.5
        mixed = observed(self, self.kernel, lambda kernel: kernel)(
            jnp.concatenate([query, query_rope], axis=-1),
            jnp.concatenate([key, key_rope], axis=-1),
            value,
            at,
            key_at,
            mask=self.mask,
            **told,
            dropout_rate=self.dropout_rate if drop else 0.0,
            dropout_key=self.make_rng("dropout") if drop else None,
        )
        if cache is not None:
            mixed = unfold(mixed, value_up)
        return join_carry(self._project("out", mixed, x.shape[-1], axes=2), after, context)

    def _query(self, x: Array) -> Array:
        heads = (self.num_heads, self.head_dim + self.rope_dim)
        if self.q_rank is None:
            return self._project("query", x, *heads)
        latent = fresh(self.norm, name="query_norm")(self._project("query_down", x, self.q_rank))
        return self._project("query_up", latent, *heads)

    def _project(self, name: str, x: Array, *features: int, axes: int = 1) -> Array:
        return Linear(
            features=features,
            axes=axes,
            use_bias=False,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name=name,
        )(x)

    def _up(self, name: str, latent: Array, features: int) -> Array:
        kernel = UpProjection(
            features=(self.num_heads, features),
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name=name,
        )(latent)
        return kernel.astype(latent.dtype)


class UpProjection(Block, kw_only=True):
    """The kernel that leads from latents to heads, for whoever applies it, and to what.

    Attributes:
        features: heads, and features of one.
        param_dtype: of the kernel.
        kernel_init: of the kernel, drawn as a matrix of inputs x outputs.
    """

    features: tuple[int, int]
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(self, latent: Float[Array, "*batch kv_rank"]) -> Float[Array, "kv_rank heads dim"]:
        """The kernel for latents of this width."""
        (rank,), (heads, dim) = latent.shape[-1:], self.features

        def draw(key: Array) -> Array:
            kernel = self.kernel_init(key, (rank, heads * dim), self.param_dtype)
            return kernel.reshape(rank, heads, dim)

        return self.param("kernel", draw)
