"""`MixtureOfExperts`: a router, its experts, and a shared MLP."""

import operator
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.checks import check_values, first_false
from blocks.core.errors.location import reported
from blocks.core.slots import Mixer, Template
from blocks.core.typing import Array, Float, typed
from blocks.moe.experts import run_experts
from blocks.moe.router import Routing


class MixtureOfExperts(Block, kw_only=True):
    r"""Mixture of experts: a weighted sum of the few experts that a router chooses for each token.

    $$y = \sum_{e \in \mathrm{chosen}(x)} w_e(x)\, \mathrm{expert}_e(x) + \mathrm{shared}(x)$$

    It goes into the slot `mlp` of a block. Time grows with `top_k`, not with the number of experts,
    and no token is dropped, however many choose the same expert.

    With `mutable=["losses", "intermediates"]` a call also returns, for each layer, the load
    balancing loss and the router z-loss, which `auxiliary_losses` sums up, and `load`: the fraction
    of choices of each expert, without padding.

    Attributes:
        router: router that chooses experts for each token, such as `SoftmaxRouter`; its parameters
            are `router`.
        expert: template of the experts, such as `GatedMLP`: any block that transforms each token
            independently, without a context and without variables other than parameters.
            Its parameters are `experts`, with a leading axis of experts.
        shared: an MLP applied to every token as well; None for none.

    Raises:
        ValueError: choices of a router whose shape does not match the tokens, or out of range; an
            expert that writes a collection, such as statistics or a loss.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import GatedMLP, MixtureOfExperts, SoftmaxRouter
        >>> mixture = MixtureOfExperts(
        ...     router=SoftmaxRouter(num_experts=8, top_k=2), expert=GatedMLP(hidden=32)
        ... )
        >>> x = jnp.ones((2, 5, 16))
        >>> variables = jax.jit(mixture.init)(jax.random.key(0), x)
        >>> variables["params"]["experts"]["up"]["kernel"].shape
        (8, 16, 32)

        ```

    References:
        Shazeer et al., Outrageously Large Neural Networks, 2017, arXiv:1701.06538.
        Dai et al., DeepSeekMoE, 2024, arXiv:2401.06066 (shared experts).
        Gale et al., MegaBlocks, 2022, arXiv:2211.15841 (no token dropped).
    """

    router: Mixer
    expert: Template[Mixer]
    shared: Mixer | None = None

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "*batch embed"]:
        """Transform each token of `x` independently, with the experts that the router chooses."""
        tokens = x.reshape(-1, x.shape[-1])
        routing = _by_token(self.router(x, context, deterministic), x.shape[:-1])
        top_k, num_experts = routing.experts.shape[-1], routing.probabilities.shape[-1]
        chosen = routing.experts.reshape(-1)

        def run(rows: Array) -> Array:
            flat = rows.reshape(-1, rows.shape[-1])
            results = run_experts(self, self.expert, num_experts, flat, chosen, deterministic)
            return results.reshape(rows.shape)

        mixed = self.combine(jnp.repeat(tokens[:, None], top_k, axis=1), routing.weights, run)
        if not self.is_initializing():
            self._report(routing, None if context is None else context.valid)
        y = mixed.reshape(x.shape)
        return y if self.shared is None else y + self.shared(x, context, deterministic)

    def combine(
        self,
        rows: Float[Array, "tokens top_k embed"],
        weights: Float[Array, "tokens top_k"],
        run: Callable[[Array], Array],
    ) -> Float[Array, "tokens embed"]:
        """Sum the results of the chosen experts; `run` applies to each row its expert."""
        results = run(rows)
        # A product with so few weights is slower as a matrix product.
        return (weights[..., None].astype(results.dtype) * results).sum(axis=1)

    def _report(self, routing: Routing, valid: Array | None) -> None:
        real = jnp.ones(len(routing.experts)) if valid is None else valid.reshape(-1)
        real = real.astype(jnp.float32) / jnp.maximum(real.sum(), 1)
        num_experts = routing.probabilities.shape[-1]
        chosen = jax.nn.one_hot(routing.experts, num_experts).mean(axis=1)
        load, probability = real @ chosen, real @ routing.probabilities
        self.sow("intermediates", "load", load)
        large = real @ jnp.square(jax.nn.logsumexp(routing.logits, axis=-1))
        balance = num_experts * (load * probability).sum()
        for name, loss in {"balance": balance, "router_z": large}.items():
            self.sow("losses", name, loss, operator.add, lambda: jnp.zeros(()))


def _by_token(routing: Routing, batch: tuple[int, ...]) -> Routing:
    """Check a router's choice, and flatten it to one row per token."""
    if not isinstance(routing, Routing):
        raise TypeError(f"the router gave {type(routing).__name__}; it must give a Routing.")
    num_experts = routing.probabilities.shape[-1]
    sizes = (routing.experts.shape[-1],) * 2 + (num_experts,) * 2
    for name, part, size in zip(Routing._fields, routing, sizes, strict=True):
        if part.shape != (*batch, size):
            raise ValueError(
                f"the router's {name} of shape {part.shape} do not fit the tokens; "
                f"give {(*batch, size)}."
            )
    known = (routing.experts >= 0) & (routing.experts < num_experts)
    check_values(
        known.all(),
        "the router chose expert {expert}, and there are {num_experts}.",
        expert=routing.experts.reshape(-1)[first_false(known.reshape(-1))] if known.size else 0,
        num_experts=num_experts,
    )
    return Routing(*(part.reshape(-1, part.shape[-1]) for part in routing))


@reported
def auxiliary_losses(collections: dict[str, Any]) -> dict[str, Array]:
    r"""Sum the auxiliary losses that the blocks of a model report, by name.

    Mixtures report `balance`, $E \sum_e f_e p_e$ of load and mean probability, from 1 for balanced
    experts to $E$ if one gets all tokens; and `router_z`, the mean square of the logits'
    log-sum-exp. Add them to the loss with small weights: 1e-2 and 1e-3 in the papers.
    `HedgehogDistillation` reports `hedgehog`.

    Args:
        collections: the collections that `apply(..., mutable=["losses"])` returned.

    Raises:
        ValueError: no losses were reported.

    References:
        Fedus et al., Switch Transformers, 2021, arXiv:2101.03961, section 2.2.
        Zoph et al., ST-MoE, 2022, arXiv:2202.08906, section 3.
    """
    sums: dict[str, Array] = {}
    for path, loss in jax.tree.leaves_with_path(collections.get("losses", {})):
        name = path[-1].key
        sums[name] = sums.get(name, jnp.zeros(())) + jnp.sum(loss)
    if not sums:
        raise ValueError(
            'no losses: call the model with apply(..., mutable=["losses"]), and give the second '
            "part of the result."
        )
    return sums
