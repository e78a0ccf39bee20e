"""`SoftmaxRouter`: a choice of the most probable experts."""

import flax.linen as nn
import jax

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.moe.router import LinearRouter, Routing


@typed
def softmax_routing(
    logits: Float[Array, "*batch experts"], top_k: int, renormalize: bool = True
) -> Routing:
    r"""Choose the `top_k` experts of highest probability $p = \mathrm{softmax}(\mathrm{logits})$.

    Args:
        logits: logits of all experts.
        top_k: number of experts per token.
        renormalize: divide the weights of the chosen experts by their sum.
    """
    probabilities = jax.nn.softmax(logits)
    weights, experts = jax.lax.top_k(probabilities, top_k)
    if renormalize:
        weights = weights / weights.sum(axis=-1, keepdims=True)
    return Routing(experts, weights, probabilities, logits)


class SoftmaxRouter(LinearRouter, kw_only=True):
    r"""Softmax router: the `top_k` experts of highest probability $p = \mathrm{softmax}(x W + b)$.

    Attributes:
        renormalize: divide the weights of the chosen experts by their sum, as Mixtral does.
        use_bias: learn a bias $b$ for each expert, as gpt-oss does.

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
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Routing:
        """Choose by probability; `context` and `deterministic` are not used."""
        return softmax_routing(self.logits(x, self.use_bias), self.top_k, self.renormalize)
