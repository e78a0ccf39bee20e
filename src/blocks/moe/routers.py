"""Routers: which experts a token goes to, and with what weight."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.core.block import Block
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, Int, typed
from blocks.linear import Linear


class Routing(NamedTuple):
    """Where tokens go.

    Attributes:
        experts: chosen ones of each token, by number.
        weights: what the result of each chosen expert is multiplied with, float32.
        probabilities: of all experts, for the loss that balances them; they sum to 1.
        logits: before any of that, float32.
    """

    experts: Int[Array, "tokens top_k"]
    weights: Float[Array, "tokens top_k"]
    probabilities: Float[Array, "tokens experts"]
    logits: Float[Array, "tokens experts"]


class Router(Block, kw_only=True):
    """What a router is: a choice of `top_k` among `num_experts` for each token alone.

    Attributes:
        num_experts: to choose from.
        top_k: experts of a token.
        param_dtype: of the parameters; routing is computed in float32.
        kernel_init: of the kernel.

    Raises:
        ValueError: fewer than one expert, or more chosen than there are.
    """

    num_experts: int
    top_k: int
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    def check_fields(self) -> None:
        """Refuses choices that cannot be made."""
        if not 1 <= self.top_k <= self.num_experts:
            raise ValueError(
                f"top_k={self.top_k} must be from 1 to num_experts={self.num_experts}."
            )

    def __call__(self, x: Float[Array, "tokens embed"]) -> Routing:
        """Chooses."""
        raise TypeError(f"{type(self).__name__} chooses nothing: give it a `__call__`.")

    def _logits(self, x: Array, use_bias: bool = False) -> Array:
        return Linear(
            features=(self.num_experts,),
            use_bias=use_bias,
            dtype=jnp.float32,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name="logits",
        )(x)


class SoftmaxRouter(Router, kw_only=True):
    r"""Chooses the experts of highest probability $p = \mathrm{softmax}(x W + b)$.

    Attributes:
        num_experts: to choose from.
        top_k: experts of a token.
        renormalize: divide the weights of the chosen by their sum, as Mixtral does.
        use_bias: learn a bias $b$ for each expert, as gpt-oss does.
        param_dtype: of the parameters; routing is computed in float32.
        kernel_init: of the kernel.

    Raises:
        ValueError: fewer than one expert, or more chosen than there are.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import SoftmaxRouter
        >>> router = SoftmaxRouter(num_experts=8, top_k=2)
        >>> router.init_with_output(jax.random.key(0), jnp.ones((3, 16)))[0].experts.shape
        (3, 2)

        ```

    References:
        Shazeer et al., Outrageously Large Neural Networks, 2017, arXiv:1701.06538.
        Jiang et al., Mixtral of Experts, 2024, arXiv:2401.04088.
    """

    renormalize: bool = True
    use_bias: bool = False

    @nn.compact
    @typed
    def __call__(self, x: Float[Array, "tokens embed"]) -> Routing:
        """Chooses by probability."""
        logits = self._logits(x, self.use_bias)
        probabilities = jax.nn.softmax(logits)
        weights, experts = jax.lax.top_k(probabilities, self.top_k)
        if self.renormalize:
            weights = weights / weights.sum(axis=-1, keepdims=True)
        return Routing(experts, weights, probabilities, logits)


class SigmoidRouter(Router, kw_only=True):
    r"""Scores each expert alone, $s = \sigma(x W)$, and chooses by $s + b$ within the best groups.

    The bias $b$ steers who is chosen and has no gradient: `balanced_bias` moves it by the load.
    Weights are the scores of the chosen over their sum.

    Attributes:
        num_experts: to choose from.
        top_k: experts of a token.
        num_groups: equal groups that experts are in.
        top_groups: groups that a token may use; those whose two best experts score most.
        scale: what weights are multiplied with.
        param_dtype: of the parameters; routing is computed in float32.
        kernel_init: of the kernel.

    Raises:
        ValueError: groups that do not divide the experts, or fewer experts in them than chosen.

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
        """Refuses choices that cannot be made."""
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
    def __call__(self, x: Float[Array, "tokens embed"]) -> Routing:
        """Chooses by score and bias."""
        logits = self._logits(x)
        scores = jax.nn.sigmoid(logits)
        bias = self.param("bias", nn.initializers.zeros, (self.num_experts,), self.param_dtype)
        steered = jax.lax.stop_gradient(scores + bias.astype(jnp.float32)[None])
        _, experts = jax.lax.top_k(self._within_groups(steered), self.top_k)
        weights = jnp.take_along_axis(scores, experts, axis=-1)
        return Routing(experts, self.scale * _shares(weights), _shares(scores), logits)

    def _within_groups(self, steered: Array) -> Array:
        if self.top_groups == self.num_groups:
            return steered
        groups = steered.reshape(len(steered), self.num_groups, -1)
        best = jax.lax.top_k(groups, min(2, groups.shape[-1]))[0].sum(axis=-1)
        _, chosen = jax.lax.top_k(best, self.top_groups)
        usable = jax.nn.one_hot(chosen, self.num_groups).sum(axis=1) > 0
        return jnp.where(usable[..., None], groups, -jnp.inf).reshape(steered.shape)


def _shares(scores: Array) -> Array:
    # Sigmoids of very low logits are all zero: no token is then sent anywhere by weight.
    # The bound is as low as leaves its square, which the gradient divides by, above zero.
    return scores / jnp.maximum(scores.sum(axis=-1, keepdims=True), 1e-12)


@typed
def balanced_bias(
    bias: Float[Array, "experts"], load: Float[Array, "experts"], rate: float = 1e-3
) -> Float[Array, "experts"]:
    """The next bias of a `SigmoidRouter`: up for experts with less than their share, else down.

    References:
        Wang et al., Auxiliary-Loss-Free Load Balancing, 2024, arXiv:2408.15664.
    """
    return bias + rate * jnp.sign(load.mean() - load).astype(bias.dtype)
