"""A mixture of experts in place of every MLP of a model, and a loss that keeps experts in use."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from blocks import MLP, MixtureOfExperts, Normal, SoftmaxRouter, replace
from blocks.moe import auxiliary_losses
from recipes.trainer.step import Batch, LossFunction, Metrics, loss_and_metrics

# Weights of the load balancing loss and of the router z-loss.
BALANCE, ROUTER_Z = 1e-2, 1e-3


def with_experts(
    model: nn.Module, num_experts: int, top_k: int, width_multiplier: float = 1.0
) -> Any:
    """Put a mixture in the place of every MLP, whose experts are MLPs like it.

    Args:
        model: The model.
        num_experts: Experts in each layer.
        top_k: Number of experts that a token uses.
        width_multiplier: Width of the model in that of its base (muP): routers start smaller by
            this factor, and `build_optimizer` has them learn more slowly by it.

    Example:
        >>> from blocks import MLP, Stack
        >>> mixture = with_experts(Stack(block=MLP(hidden=8), depth=1), 4, 2).block
        >>> mixture.router.num_experts, mixture.expert
        (4, MLP(hidden=8))
    """
    init = Normal(stddev=0.02 / width_multiplier)
    router = SoftmaxRouter(num_experts=num_experts, top_k=top_k, kernel_init=init)
    return replace(model, MLP, lambda mlp: MixtureOfExperts(router=router, expert=mlp))


def balance(loss: LossFunction) -> LossFunction:
    r"""Have the gradient of a loss keep the experts of a model in use.

    The value is still that of the loss alone; of $E \sum_e f_e p_e$ and of the router z-loss only
    the gradients are added, weighted, and `balance` is a metric: the mean of all layers, 1 where
    experts are chosen equally often. A model without experts is trained as before.

    References:
        Fedus et al., Switch Transformers, 2021, arXiv:2101.03961, section 2.2.
        Zoph et al., ST-MoE, 2022, arXiv:2202.08906, section 3.
    """

    def with_balance(
        apply_fn: Callable[..., Any], params: Any, batch: Batch, key: jax.Array | None
    ) -> tuple[jax.Array, Metrics]:
        reported: dict[str, Any] = {}

        def apply(*arguments: Any, **options: Any) -> Any:
            result, collections = apply_fn(*arguments, mutable=["losses"], **options)
            reported.update(collections)
            return result

        value, metrics = loss_and_metrics(loss, apply, params, batch, key)
        sums = auxiliary_losses(reported) if reported.get("losses") else {}
        if "balance" not in sums:
            return value, metrics
        extra = BALANCE * sums["balance"] + ROUTER_Z * sums["router_z"]
        leaves = jax.tree.leaves_with_path(reported["losses"])
        layers = sum(leaf.size for path, leaf in leaves if path[-1].key == "balance")
        metrics = {**metrics, "balance": jax.lax.stop_gradient(sums["balance"] / layers)}
        return value + extra - jax.lax.stop_gradient(extra), metrics

    return with_balance
