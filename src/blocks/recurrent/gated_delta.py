"""Gated DeltaNet: linear attention whose state forgets, and corrects what it holds."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block, fresh
from blocks.core.errors.words import divisors
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, Key, typed
from blocks.linear import Linear
from blocks.norms.rms_norm import RMSNorm
from blocks.recurrent.chunking import document_runs
from blocks.recurrent.convolution import ShortConvolution
from blocks.recurrent.delta_rule import gated_delta_rule
from blocks.recurrent.state import RecurrentState


def unit(x: Array) -> Array:
    r"""Each head at unit length, $x / \sqrt{x^\top x + \epsilon}$, in float32."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.square(x).sum(axis=-1, keepdims=True) + 1e-6)


def log_rates(key: Key[Array, ""], shape: tuple[int, ...], dtype: Dtype = jnp.float32) -> Array:
    r"""$\log A$ for rates drawn between 0 and 16."""
    return jnp.log(jax.random.uniform(key, shape, dtype, 1e-3, 16.0))


def small_steps(key: Key[Array, ""], shape: tuple[int, ...], dtype: Dtype = jnp.float32) -> Array:
    """What softplus turns into steps between 0.001 and 0.1, evenly in their logarithm."""
    low, high = jnp.log(1e-3), jnp.log(1e-1)
    return jnp.log(jnp.expm1(jnp.exp(jax.random.uniform(key, shape, dtype, low, high))))


class GatedDeltaNet(Block, kw_only=True):
    r"""Keeps one matrix per head, which every token makes fade a little and then corrects.

    $$S_t = \alpha_t \left(I - \beta_t k_t k_t^\top\right) S_{t-1} + \beta_t k_t v_t^\top,
    \qquad y_t = \left(\mathrm{norm}(S_t^\top q_t) \odot \mathrm{silu}(x_t W_g)\right) W_o$$

    $$q, k = \frac{c}{|c|},\; c = \mathrm{silu}(\mathrm{conv}(x W)), \quad
    v = \mathrm{silu}(\mathrm{conv}(x W_v)), \quad \beta_t = \sigma(x_t W_\beta), \quad
    \alpha_t = e^{-A\, \mathrm{softplus}(x_t W_\alpha + b)}$$

    A key reads what is stored under it, and the difference to its value is written: an old value
    is replaced, not added to. Queries are divided by $\sqrt{d}$. The convolutions tell it where
    tokens stand, so that it needs no positions; it is causal always.

    Attributes:
        num_heads: heads of values, each with a state of its own.
        num_key_heads: heads of queries and of keys, which consecutive heads share; None takes
            `num_heads`.
        head_dim: features $d$ of a query and a key; None takes `embed / num_heads`.
        value_dim: features of a value; None takes `head_dim`. The paper has twice as many.
        features: width of the result; None takes the input's.
        convolution: template of those after the projections to queries, keys and values; None for
            none.
        norm: of what a head reads, before the gate; all heads share it.
        chunk_size: tokens computed at once; time and memory, not results.
        dtype: of the projections; None infers it. The state is float32.
        param_dtype: of the parameters.
        kernel_init: of the kernels.
        out_kernel_init: of the output projection; None takes `kernel_init`.
        rate_init: of $\log A$, one for each head.
        step_init: of $b$, likewise.

    Raises:
        ValueError: a size below 1, or heads that do not divide.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import GatedDeltaNet
        >>> block = GatedDeltaNet(num_heads=4, num_key_heads=2, head_dim=8, value_dim=16)
        >>> y, variables = block.init_with_output(jax.random.key(0), jnp.ones((1, 9, 32)))
        >>> y.shape, variables["params"]["key"]["kernel"].shape
        ((1, 9, 32), (32, 2, 8))

        ```

    References:
        Yang et al., Gated Delta Networks, 2024, arXiv:2412.06464.
        Qwen Team, Qwen3-Next, 2025 (key heads shared by value heads, in its published code).
        Dao and Gu, Mamba-2, 2024, arXiv:2405.21060 (the decay and its start).
    """

    num_heads: int
    num_key_heads: int | None = None
    head_dim: int | None = None
    value_dim: int | None = None
    features: int | None = None
    convolution: ShortConvolution | None = ShortConvolution()
    norm: nn.Module = RMSNorm()
    chunk_size: int = 64
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    out_kernel_init: Initializer | None = None
    rate_init: Initializer = log_rates
    step_init: Initializer = small_steps

    def check_fields(self) -> None:
        """Refuses heads that do not divide and sizes that cannot be."""
        names = ("num_heads", "num_key_heads", "head_dim", "value_dim", "features", "chunk_size")
        for name in names:
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"{name}={size} must be at least 1.")
        if self.num_key_heads and self.num_heads % self.num_key_heads:
            raise ValueError(
                f"num_key_heads={self.num_key_heads} must divide num_heads={self.num_heads}; "
                f"use {divisors(self.num_heads)}."
            )

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq features"]:
        """Mixes each token with what is left of those before it; `deterministic` is not used."""
        if self.head_dim is None and x.shape[-1] % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide embed={x.shape[-1]}; "
                f"use {divisors(x.shape[-1])}, or give head_dim."
            )
        head_dim = self.head_dim or x.shape[-1] // self.num_heads
        value_dim = self.value_dim or head_dim
        key_heads = self.num_key_heads or self.num_heads
        query = unit(self._mixed("query", x, (key_heads, head_dim), context)) * head_dim**-0.5
        key = unit(self._mixed("key", x, (key_heads, head_dim), context))
        value = self._mixed("value", x, (self.num_heads, value_dim), context)
        query, key = (
            jnp.repeat(part, self.num_heads // key_heads, axis=2) for part in (query, key)
        )

        read = self._read(x, query, key, value, context).astype(value.dtype)
        gate = jax.nn.silu(self._project("gate", x, (self.num_heads, value_dim)))
        gated = self.norm(read) * gate
        return self._project("out", gated, (self.features or x.shape[-1],), axes=2)

    def _read(
        self, x: Array, query: Array, key: Array, value: Array, context: Context | None
    ) -> Array:
        batch, seq = x.shape[:2]
        caching = context is not None and context.cache_size is not None
        kept = self.get_variable("cache", "recurrent") if caching else None
        if kept is None:
            kept = RecurrentState.start(batch, *key.shape[2:], value.shape[-1])
        at = kept.locate(context, seq)
        runs, segment_ids = document_runs(at, batch, kept.segment_ids)
        log_decay, beta = self._gates(x)
        if at.valid is not None:  # padding neither writes nor lets fade
            log_decay, beta = (jnp.where(at.valid[..., None], g, 0.0) for g in (log_decay, beta))
        arrays = (query, key, value, log_decay, beta, runs, kept.state)
        read, state = gated_delta_rule(*arrays, self.chunk_size)
        if caching:
            self.put_variable("cache", "recurrent", kept.after(at, state, segment_ids))
        return read

    def _gates(self, x: Array) -> tuple[Array, Array]:
        """Logarithm of the decay, and the share that is replaced, in float32."""
        heads = (self.num_heads,)
        rate = self.param("log_rate", self.rate_init, heads, self.param_dtype)
        step = self.param("step", self.step_init, heads, self.param_dtype)
        rate, step = (g.astype(jnp.float32)[None, None] for g in (rate, step))
        decay = self._project("decay", x, heads).astype(jnp.float32)
        beta = self._project("beta", x, heads).astype(jnp.float32)
        return -jnp.exp(rate) * jax.nn.softplus(decay + step), jax.nn.sigmoid(beta)

    def _mixed(
        self, name: str, x: Array, features: tuple[int, ...], context: Context | None
    ) -> Array:
        x = self._project(name, x, features)
        if self.convolution is not None:
            x = fresh(self.convolution, name=f"{name}_convolution")(x, context)
        return jax.nn.silu(x)

    def _project(self, name: str, x: Array, features: tuple[int, ...], axes: int = 1) -> Array:
        own = self.out_kernel_init if name == "out" else None
        return Linear(
            features=features,
            axes=axes,
            use_bias=False,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=own or self.kernel_init,
            name=name,
        )(x)
