"""`Routing`, the result of a router, and base classes for routers."""

from typing import NamedTuple

import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, Int
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
