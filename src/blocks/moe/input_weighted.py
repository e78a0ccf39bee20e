"""`InputWeightedMixture`: a mixture of experts that weighs what the experts read."""

from collections.abc import Callable

from blocks.core.typing import Array, Float
from blocks.moe.mixture import MixtureOfExperts


class InputWeightedMixture(MixtureOfExperts, kw_only=True):
    r"""Mixture of experts with weights on the inputs of the chosen experts, as in Llama 4.

    $$y = \sum_{e \in \mathrm{chosen}(x)} \mathrm{expert}_e(w_e(x)\, x) + \mathrm{shared}(x)$$

    Weights are parts of the nonlinearity then: with a gated MLP, half the weight gives less than
    half the result.

    Attributes:
        router: router that chooses experts for each token; Llama 4 has
            `SigmoidRouter(use_bias=False, renormalize=False, ...)`.
        expert: template of the experts, as in `MixtureOfExperts`.
        shared: an MLP applied to every token as well, without a weight; None for none.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import GatedMLP, SigmoidRouter
        >>> from blocks.moe import InputWeightedMixture
        >>> mixture = InputWeightedMixture(
        ...     router=SigmoidRouter(num_experts=8, top_k=1, use_bias=False, renormalize=False),
        ...     expert=GatedMLP(hidden=32),
        ...     shared=GatedMLP(hidden=32),
        ... )
        >>> jax.jit(mixture.init_with_output)(jax.random.key(0), jnp.ones((2, 5, 16)))[0].shape
        (2, 5, 16)

        ```

    References:
        Meta, The Llama 4 Herd, 2025 (in its published code).
    """

    def combine(
        self,
        rows: Float[Array, "tokens top_k embed"],
        weights: Float[Array, "tokens top_k"],
        run: Callable[[Array], Array],
    ) -> Float[Array, "tokens embed"]:
        """Weigh the rows, and sum the results of the chosen experts."""
        return run(rows * weights[..., None].astype(rows.dtype)).sum(axis=1)
