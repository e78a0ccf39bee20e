"""`KimiDeltaAttention`: linear attention by a delta rule that decays feature by feature."""

import jax
import jax.numpy as jnp

from blocks.core.bounds import Size
from blocks.core.typing import Array
from blocks.recurrent.feature_delta_rule import feature_delta_rule
from blocks.recurrent.gated_delta import GatedDeltaNet, RuleArrays
from blocks.recurrent.mixer import RecurrentInputs


class KimiDeltaAttention(GatedDeltaNet, kw_only=True):
    r"""Kimi delta attention: a gated delta rule with a decay for each feature of a head's keys.

    $$S_t = \left(I - \beta_t k_t k_t^\top\right) \mathrm{diag}(\alpha_t)\, S_{t-1}
    + \beta_t k_t v_t^\top,
    \qquad y_t = \left(\mathrm{norm}(S_t^\top q_t) \odot \sigma(x_t W_{g1} W_{g2})\right) W_o$$

    $$\alpha_t = e^{-A\, \mathrm{softplus}(x_t W_{\alpha 1} W_{\alpha 2} + b)}$$

    Queries, keys, values and $\beta$ are as in `GatedDeltaNet`. The projections to the decay and to
    the gate are products of two, over `rank` features.

    Parameters besides those of `GatedDeltaNet`: `decay_down` ($W_{\alpha 1}$) and `decay_up`
    ($W_{\alpha 2}$) in place of `decay`, `gate_down` ($W_{g1}$) and `gate_up` ($W_{g2}$) in place
    of `gate`; `step` ($b$) has one number per head and feature.

    Attributes:
        num_heads: number of value heads, each with its own state.
        num_key_heads: number of query and key heads, which consecutive value heads share; None
            takes `num_heads`.
        head_dim: features $d$ of a query and a key; None takes `embed / num_heads`.
        value_dim: features of a value; None takes `head_dim`.
        rank: features between the two projections to decay and gate; None takes `head_dim`.
        convolution: template of the convolutions after the projections to queries, keys and
            values; None for none.
        norm: norm of the heads' outputs, before the gate; heads share its parameters.
        rate_init: initialiser of $\log A$, one number per head.
        step_init: initialiser of $b$.
        chunk_size: number of tokens computed at once; memory grows with it.

    Raises:
        ValueError: a size below 1, or heads that do not divide.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks.recurrent import KimiDeltaAttention
        >>> block = KimiDeltaAttention(num_heads=4, head_dim=8)
        >>> y, variables = jax.jit(block.init_with_output)(jax.random.key(0), jnp.ones((1, 9, 32)))
        >>> y.shape, variables["params"]["decay_up"]["kernel"].shape
        ((1, 9, 32), (8, 4, 8))

        ```

    References:
        Kimi Team, Kimi Linear, 2025, arXiv:2510.26692.
    """

    rank: Size | None = None
    chunk_size: Size = 16

    def _rule(self, arrays: RuleArrays, inputs: RecurrentInputs) -> tuple[Array, Array]:
        return feature_delta_rule(*arrays, inputs.runs, inputs.state, self.chunk_size)

    def _decay(self, x: Array) -> Array:
        r"""Compute the logarithm of the decay $\alpha$ of each feature, in float32."""
        shape = (self.num_heads, self.width(x.shape[-1]))
        rate = self.param("log_rate", self.rate_init, shape[:1], self.param_dtype)
        step = self.param("step", self.step_init, shape, self.param_dtype)
        rate, step = rate.astype(jnp.float32)[None, None, :, None], step.astype(jnp.float32)
        wanted = self._low_rank("decay", x, shape).astype(jnp.float32)
        return -jnp.exp(rate) * jax.nn.softplus(wanted + step[None, None])

    def _gate(self, x: Array, value: Array) -> Array:
        return jax.nn.sigmoid(self._low_rank("gate", x, value.shape[2:]))

    def _low_rank(self, name: str, x: Array, features: tuple[int, ...]) -> Array:
        rank = self.rank or self.width(x.shape[-1])
        return self.linear(f"{name}_up", features)(self.linear(f"{name}_down", (rank,))(x))
