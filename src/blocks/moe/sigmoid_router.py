"""`SigmoidRouter`: experts scored independently and balanced by a bias, as in DeepSeek-V3."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.moe.router import GroupedRouter, Routing, within_groups


@typed
def sigmoid_routing(
    logits: Float[Array, "*batch experts"],
    bias: Float[Array, "experts"] | None,
    top_k: int,
    num_groups: int = 1,
    top_groups: int = 1,
    scale: float = 1.0,
    renormalize: bool = True,
) -> Routing:
    r"""Score each expert independently, $s = \sigma(\mathrm{logits})$, and choose by $s + b$.

    Args:
        logits: logits of all experts.
        bias: the bias $b$, without gradient; None for none.
        top_k: number of experts per token.
        num_groups: number of equal groups of experts.
        top_groups: number of groups that a token may use: those whose two best experts score most.
        scale: factor on the weights.
        renormalize: divide the weights of the chosen experts by their sum.
    """
    scores = jax.nn.sigmoid(logits)
    steered = scores
    if bias is not None:
        steered = scores + bias.astype(jnp.float32).reshape((1,) * (logits.ndim - 1) + (-1,))
    steered = within_groups(jax.lax.stop_gradient(steered), num_groups, top_groups, best=2)
    _, experts = jax.lax.top_k(steered, top_k)
    weights = jnp.take_along_axis(scores, experts, axis=-1)
    weights = _shares(weights) if renormalize else weights
    return Routing(experts, scale * weights, _shares(scores), logits)


def _shares(scores: Array) -> Array:
    # Sigmoids of very low logits are all zero: no token is then sent anywhere by weight.
    # The bound is as low as leaves its square, which the gradient divides by, above zero.
    return scores / jnp.maximum(scores.sum(axis=-1, keepdims=True), 1e-12)


class SigmoidRouter(GroupedRouter, kw_only=True):
    r"""Sigmoid router: scores $s = \sigma(x W)$ per expert, and a choice by $s + b$ in groups.

    The bias $b$ affects the choice only and has no gradient: `balanced_bias` updates it from the
    load. Weights are the scores of the chosen experts, divided by their sum by default.

    Attributes:
        num_groups: number of equal groups of experts.
        top_groups: number of groups that a token may use: those whose two best experts score most.
        use_bias: keep a bias $b$; Llama 4 has none.
        renormalize: divide the weights of the chosen experts by their sum; Llama 4 does not.
        scale: factor on the weights.

    Raises:
        ValueError: groups that do not divide the experts, or too few experts in them for `top_k`.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import SigmoidRouter
        >>> router = SigmoidRouter(num_experts=8, top_k=2, num_groups=4, top_groups=2)
        >>> sorted(router.init(jax.random.key(0), jnp.ones((3, 16)))["params"])
        ['bias', 'logits']

        ```

    References:
        DeepSeek-AI, DeepSeek-V3, 2024, arXiv:2412.19437, section 2.1.2.
    """

    use_bias: bool = True

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Routing:
        """Choose by score and bias; `context` and `deterministic` are not used."""
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.num_experts,), self.param_dtype)
        rule = self.num_groups, self.top_groups, self.scale, self.renormalize
        return sigmoid_routing(self.logits(x), bias, self.top_k, *rule)


@typed
def balanced_bias(
    bias: Float[Array, "experts"], load: Float[Array, "experts"], rate: float = 1e-3
) -> Float[Array, "experts"]:
    """Update the bias of a `SigmoidRouter`: up for experts below their share of load, else down.

    References:
        Wang et al., Auxiliary-Loss-Free Load Balancing, 2024, arXiv:2408.15664.
    """
    return bias + rate * jnp.sign(load.mean() - load).astype(bias.dtype)
