"""`SigmoidRouter`: experts scored independently and balanced by a bias, as in DeepSeek-V3."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.moe.router import LinearRouter, Routing


@typed
def sigmoid_routing(
    logits: Float[Array, "*batch experts"],
    bias: Float[Array, "experts"],
    top_k: int,
    num_groups: int = 1,
    top_groups: int = 1,
    scale: float = 1.0,
) -> Routing:
    r"""Score each expert independently, $s = \sigma(\mathrm{logits})$, and choose by $s + b$.

    Args:
        logits: logits of all experts.
        bias: the bias $b$, without gradient.
        top_k: number of experts per token.
        num_groups: number of equal groups of experts.
        top_groups: number of groups that a token may use: those whose two best experts score most.
        scale: factor on the weights.
    """
    scores = jax.nn.sigmoid(logits)
    bias = bias.astype(jnp.float32).reshape((1,) * (logits.ndim - 1) + (-1,))
    steered = jax.lax.stop_gradient(scores + bias)
    if top_groups < num_groups:
        groups = steered.reshape(*steered.shape[:-1], num_groups, -1)
        best = jax.lax.top_k(groups, min(2, groups.shape[-1]))[0].sum(axis=-1)
        _, chosen = jax.lax.top_k(best, top_groups)
        usable = jax.nn.one_hot(chosen, num_groups).sum(axis=-2) > 0
        steered = jnp.where(usable[..., None], groups, -jnp.inf).reshape(steered.shape)
    _, experts = jax.lax.top_k(steered, top_k)
    weights = jnp.take_along_axis(scores, experts, axis=-1)
    return Routing(experts, scale * _shares(weights), _shares(scores), logits)


def _shares(scores: Array) -> Array:
    # Sigmoids of very low logits are all zero: no token is then sent anywhere by weight.
    # The bound is as low as leaves its square, which the gradient divides by, above zero.
    return scores / jnp.maximum(scores.sum(axis=-1, keepdims=True), 1e-12)


class SigmoidRouter(LinearRouter, kw_only=True):
    r"""Sigmoid router: scores $s = \sigma(x W)$ per expert, and a choice by $s + b$ in groups.

    The bias $b$ affects the choice only and has no gradient: `balanced_bias` updates it from the
    load. Weights are the scores of the chosen experts divided by their sum.

    Attributes:
        num_groups: number of equal groups of experts.
        top_groups: number of groups that a token may use: those whose two best experts score most.
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

    num_groups: int = 1
    top_groups: int = 1
    scale: float = 1.0

    def check_fields(self) -> None:
        """Validate the number of experts per token, and the groups."""
        super().check_fields()
        if self.num_groups < 1 or self.num_experts % self.num_groups:
            raise ValueError(
                f"num_groups={self.num_groups} must divide num_experts={self.num_experts}."
            )
        if not 1 <= self.top_groups <= self.num_groups:
            raise ValueError(
                f"top_groups={self.top_groups} must be from 1 to num_groups={self.num_groups}."
            )
        usable = self.num_experts // self.num_groups * self.top_groups
        if self.top_k > usable:
            raise ValueError(
                f"top_k={self.top_k} is more than the {usable} experts of "
                f"top_groups={self.top_groups} groups; raise top_groups."
            )

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Routing:
        """Choose by score and bias; `context` and `deterministic` are not used."""
        bias = self.param("bias", nn.initializers.zeros, (self.num_experts,), self.param_dtype)
        groups = self.num_groups, self.top_groups
        return sigmoid_routing(self.logits(x), bias, self.top_k, *groups, self.scale)


@typed
def balanced_bias(
    bias: Float[Array, "experts"], load: Float[Array, "experts"], rate: float = 1e-3
) -> Float[Array, "experts"]:
    """Update the bias of a `SigmoidRouter`: up for experts below their share of load, else down.

    References:
        Wang et al., Auxiliary-Loss-Free Load Balancing, 2024, arXiv:2408.15664.
    """
    return bias + rate * jnp.sign(load.mean() - load).astype(bias.dtype)
