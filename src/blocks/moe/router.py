"""`Routing`, the result of a router, and base classes for routers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, Int, typed
from blocks.linear import Linear


class Routing(NamedTuple):
    """Choice of experts for each token.

    Attributes:
        experts: indices of the chosen experts.
        weights: factor on the output of each chosen expert, float32.
        probabilities: probabilities of all experts, for the load balancing loss; they sum to 1.
        logits: logits of all experts, for the router z-loss, float32.
    """

    experts: Int[Array, "*batch top_k"]
    weights: Float[Array, "*batch top_k"]
    probabilities: Float[Array, "*batch experts"]
    logits: Float[Array, "*batch experts"]


class Router(Block, kw_only=True):
    """Base class for routers: a choice of `top_k` among `num_experts` for each token.

    Attributes:
        num_experts: number of experts to choose from.
        top_k: number of experts per token.

    Raises:
        ValueError: fewer than one expert, or more chosen than there are.
    """

    num_experts: int
    top_k: int

    def check_fields(self) -> None:
        """Validate the number of experts per token."""
        if not 1 <= self.top_k <= self.num_experts:
            raise ValueError(
                f"top_k={self.top_k} must be from 1 to num_experts={self.num_experts}."
            )

    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Routing:
        """Choose experts for each token of `x`."""
        raise TypeError(f"{type(self).__name__} chooses nothing: give it a `__call__`.")


class LinearRouter(Router, kw_only=True):
    """Base class for routers that choose by a linear map of each token, in float32.

    Attributes:
        param_dtype: dtype of the parameters; routing is computed in float32.
        kernel_init: initialiser of the weights.
    """

    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    def logits(
        self, x: Float[Array, "*batch embed"], use_bias: bool = False
    ) -> Float[Array, "*batch experts"]:
        """Compute a logit per expert, with parameters under `logits`."""
        return Linear(
            features=(self.num_experts,),
            use_bias=use_bias,
            dtype=jnp.float32,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name="logits",
        )(x)


@typed
def within_groups(
    scores: Float[Array, "*batch experts"], num_groups: int, top_groups: int, best: int
) -> Float[Array, "*batch experts"]:
    """Set the scores of experts outside each token's `top_groups` groups to minus infinity.

    Args:
        scores: scores of all experts, in groups of equal size.
        num_groups: number of groups.
        top_groups: number of groups that a token may use.
        best: number of experts of a group whose scores are summed to compare groups.
    """
    if top_groups >= num_groups:
        return scores
    groups = scores.reshape(*scores.shape[:-1], num_groups, -1)
    sums = jax.lax.top_k(groups, min(best, groups.shape[-1]))[0].sum(axis=-1)
    _, chosen = jax.lax.top_k(sums, top_groups)
    usable = jax.nn.one_hot(chosen, num_groups).sum(axis=-2) > 0
    return jnp.where(usable[..., None], groups, -jnp.inf).reshape(scores.shape)


class GroupedRouter(LinearRouter, kw_only=True):
    """Base class for linear routers that choose within groups of experts and scale the weights.

    Attributes:
        num_groups: number of equal groups of experts.
        top_groups: number of groups that a token may use.
        renormalize: divide the weights of the chosen experts by their sum.
        scale: factor on the weights.

    Raises:
        ValueError: groups that do not divide the experts, or too few experts in them for `top_k`.
    """

    num_groups: int = 1
    top_groups: int = 1
    renormalize: bool = True
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
