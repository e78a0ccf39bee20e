"""`SoftmaxRouter`: a choice of the most probable experts."""

import flax.linen as nn
import jax

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.moe.router import GroupedRouter, Routing, within_groups


@typed
def softmax_routing(
    logits: Float[Array, "*batch experts"],
    top_k: int,
    renormalize: bool = True,
    num_groups: int = 1,
    top_groups: int = 1,
    scale: float = 1.0,
) -> Routing:
    r"""Choose the `top_k` experts of highest probability $p = \mathrm{softmax}(\mathrm{logits})$.

    Args:
        logits: logits of all experts.
        top_k: number of experts per token.
        renormalize: divide the weights of the chosen experts by their sum.
        num_groups: number of equal groups of experts.
        top_groups: number of groups that a token may use: those whose best expert is most probable.
        scale: factor on the weights.
    """
    probabilities = jax.nn.softmax(logits)
    usable = within_groups(probabilities, num_groups, top_groups, best=1)
    weights, experts = jax.lax.top_k(usable, top_k)
    if renormalize:
        weights = weights / weights.sum(axis=-1, keepdims=True)
    return Routing(experts, scale * weights, probabilities, logits)


class SoftmaxRouter(GroupedRouter, kw_only=True):
    r"""Softmax router: the `top_k` experts of highest probability $p = \mathrm{softmax}(x W + b)$.

    Attributes:
        renormalize: divide the weights of the chosen experts by their sum, as Mixtral does.
        use_bias: learn a bias $b$ for each expert, as gpt-oss does.
        num_groups: number of equal groups of experts.
        top_groups: number of groups that a token may use: those whose best expert is most probable.
        scale: factor on the weights.

    Raises:
        ValueError: fewer than one expert, more chosen than there are, groups that do not divide
            the experts, or too few experts in them for `top_k`.

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
        DeepSeek-AI, DeepSeek-V2, 2024, arXiv:2405.04434, section 2.2 (groups and scale).
    """

    use_bias: bool = False

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Routing:
        """Choose by probability; `context` and `deterministic` are not used."""
        rule = self.renormalize, self.num_groups, self.top_groups, self.scale
        return softmax_routing(self.logits(x, self.use_bias), self.top_k, *rule)
