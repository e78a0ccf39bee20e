"""`GatedDeltaNet`: linear attention by the gated delta rule."""

from typing import TypeAlias

import jax
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import fresh
from blocks.core.bounds import Size
from blocks.core.slots import Norm, Template
from blocks.core.typing import Array, Dtype, Initializer, Key
from blocks.norms.rms_norm import RMSNorm
from blocks.recurrent.convolution import ShortConvolution
from blocks.recurrent.delta_rule import gated_delta_rule
from blocks.recurrent.mixer import RecurrentInputs, RecurrentMixer

# Queries, keys, values, the logarithm of the decay, and beta.
RuleArrays: TypeAlias = tuple[Array, Array, Array, Array, Array]


def unit(x: Array) -> Array:
    r"""Scale each head to unit length, $x / \sqrt{x^\top x + \epsilon}$, in float32."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.square(x).sum(axis=-1, keepdims=True) + 1e-6)


def log_rates(key: Key[Array, ""], shape: tuple[int, ...], dtype: Dtype = jnp.float32) -> Array:
    r"""Draw $\log A$, with rates $A$ uniform between 0 and 16."""
    return jnp.log(jax.random.uniform(key, shape, dtype, 1e-3, 16.0))


def small_steps(key: Key[Array, ""], shape: tuple[int, ...], dtype: Dtype = jnp.float32) -> Array:
    """Draw biases whose softplus is log-uniform between 0.001 and 0.1."""
    low, high = jnp.log(1e-3), jnp.log(1e-1)
    return jnp.log(jnp.expm1(jnp.exp(jax.random.uniform(key, shape, dtype, low, high))))


class GatedDeltaNet(RecurrentMixer, kw_only=True):
    r"""Gated DeltaNet: one state matrix per head that decays and is corrected by every token.

    $$S_t = \alpha_t \left(I - \beta_t k_t k_t^\top\right) S_{t-1} + \beta_t k_t v_t^\top,
    \qquad y_t = \left(\mathrm{norm}(S_t^\top q_t) \odot \mathrm{silu}(x_t W_g)\right) W_o$$

    $$q, k = \frac{c}{|c|},\; c = \mathrm{silu}(\mathrm{conv}(x W)), \quad
    v = \mathrm{silu}(\mathrm{conv}(x W_v)), \quad \beta_t = \sigma(x_t W_\beta), \quad
    \alpha_t = e^{-A\, \mathrm{softplus}(x_t W_\alpha + b)}$$

    A key reads the value stored under it, and the difference to the new value is written: an old
    value is replaced, not added to. Queries are divided by $\sqrt{d}$. The convolutions provide
    the order of tokens, so no positions are needed; the block is always causal.

    Attributes:
        num_heads: number of value heads, each with its own state.
        num_key_heads: number of query and key heads, which consecutive value heads share; None
            takes `num_heads`.
        head_dim: features $d$ of a query and a key; None takes `embed / num_heads`.
        value_dim: features of a value; None takes `head_dim`. The paper has twice as many.
        convolution: template of the convolutions after the projections to queries, keys and
            values; None for none.
        norm: norm of the heads' outputs, before the gate; heads share its parameters.
        rate_init: initialiser of $\log A$, one number per head.
        step_init: initialiser of $b$, one number per head.

    Raises:
        ValueError: a size below 1, or heads that do not divide.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import GatedDeltaNet
        >>> block = GatedDeltaNet(num_heads=4, num_key_heads=2, head_dim=8, value_dim=16)
        >>> y, variables = jax.jit(block.init_with_output)(jax.random.key(0), jnp.ones((1, 9, 32)))
        >>> y.shape, variables["params"]["key"]["kernel"].shape
        ((1, 9, 32), (32, 2, 8))

        ```

    References:
        Yang et al., Gated Delta Networks, 2024, arXiv:2412.06464.
        Qwen Team, Qwen3-Next, 2025 (key heads shared by value heads, in its published code).
        Dao and Gu, Mamba-2, 2024, arXiv:2405.21060 (the decay and its start).
    """

    num_key_heads: Size | None = None
    value_dim: Size | None = None
    convolution: Template[ShortConvolution | None] = ShortConvolution()
    norm: Norm = RMSNorm()
    rate_init: Initializer = log_rates
    step_init: Initializer = small_steps

    def check_fields(self) -> None:
        """Validate sizes and heads."""
        self.check_shared("num_key_heads")

    def project(self, x: Array, context: Context | None) -> tuple[Array, Array, Array]:
        """Project, convolve and activate."""
        head_dim = self.width(x.shape[-1])
        keys = (self.num_key_heads or self.num_heads, head_dim)
        values = (self.num_heads, self.value_dim or head_dim)
        sizes = {"query": keys, "key": keys, "value": values}
        query, key, value = (self._convolved(n, x, size, context) for n, size in sizes.items())
        return query, key, value

    def mix(
        self, query: Array, key: Array, value: Array, inputs: RecurrentInputs
    ) -> tuple[Array, Array]:
        """Read the state with queries, then normalise and gate the result."""
        valid, group = inputs.query_at.valid, self.num_heads // query.shape[2]
        query, key = (jnp.repeat(unit(part), group, axis=2) for part in (query, key))
        log_decay, beta = self._decay(inputs.x), self._beta(inputs.x)
        if valid is not None:  # padding neither writes nor decays the state
            log_decay, beta = (
                jnp.where(valid.reshape(*valid.shape, *[1] * (g.ndim - 2)), g, 0.0)
                for g in (log_decay, beta)
            )
        arrays = (query * query.shape[-1] ** -0.5, key, value, log_decay, beta)
        read, state = self._rule(arrays, inputs)
        return self.norm(read.astype(value.dtype)) * self._gate(inputs.x, value), state

    def _rule(self, arrays: RuleArrays, inputs: RecurrentInputs) -> tuple[Array, Array]:
        return gated_delta_rule(*arrays, inputs.runs, inputs.state, self.chunk_size)

    def _decay(self, x: Array) -> Array:
        r"""Compute the logarithm of the decay $\alpha$ of each head, in float32."""
        heads = (self.num_heads,)
        rate = self.param("log_rate", self.rate_init, heads, self.param_dtype)
        step = self.param("step", self.step_init, heads, self.param_dtype)
        rate, step = (g.astype(jnp.float32)[None, None] for g in (rate, step))
        return -jnp.exp(rate) * jax.nn.softplus(self._float32("decay", x) + step)

    def _beta(self, x: Array) -> Array:
        """Compute the fraction of the old value that is replaced, in float32."""
        return jax.nn.sigmoid(self._float32("beta", x))

    def _float32(self, name: str, x: Array) -> Array:
        return self.linear(name, (self.num_heads,))(x).astype(jnp.float32)

    def _gate(self, x: Array, value: Array) -> Array:
        """Compute the factor on the output of each head."""
        return jax.nn.silu(self.linear("gate", value.shape[2:])(x))

    def _convolved(
        self, name: str, x: Array, features: tuple[int, ...], context: Context | None
    ) -> Array:
        x = self.linear(name, features)(x)
        if self.convolution is not None:
            x = fresh(self.convolution, name=f"{name}_convolution")(x, context)
        return jax.nn.silu(x)
