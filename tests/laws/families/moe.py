"""Mixtures of experts: one token at a time, through the experts that it chooses."""

import functools
from typing import Any

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.families.mlp import silu
from laws.references import Params, linear, per_token, reference, take

from blocks import (
    ClampedGatedExperts,
    ClampedGatedMLP,
    GatedExperts,
    GatedMLP,
    MixtureOfExperts,
    SigmoidRouter,
    SoftmaxRouter,
)

E = EMBED


CASES = [
    Case(
        "mixture",
        MixtureOfExperts(
            router=SoftmaxRouter(num_experts=3, top_k=2),
            experts=GatedExperts(num_experts=3, hidden=4),
        ),
        vectors,
        3 * E + 3 * 3 * 4 * E,
    ),
    Case(
        "mixture_grouped",
        MixtureOfExperts(
            router=SigmoidRouter(num_experts=6, top_k=2, num_groups=3, top_groups=2, scale=1.5),
            experts=GatedExperts(num_experts=6, hidden=2),
            shared=GatedMLP(hidden=4, dropout_rate=0.3),
        ),
        vectors,
        6 * E + 6 + 6 * 3 * 2 * E + 3 * 4 * E,
        heavy=True,
    ),
    Case(
        "mixture_clamped",
        MixtureOfExperts(
            router=SoftmaxRouter(num_experts=3, top_k=2, use_bias=True),
            experts=ClampedGatedExperts(num_experts=3, hidden=4, limit=0.5),
        ),
        vectors,
        3 * E + 3 + 3 * (3 * 4 * E + 2 * 4 + E),
        heavy=True,
    ),
]


@functools.singledispatch
def chosen(router: Any, params: Params, x: np.ndarray) -> dict[int, float]:
    """The experts of a token and their weights."""
    raise TypeError(f"{type(router).__name__} has no reference: register one here.")


@chosen.register
def _(router: SoftmaxRouter, params: Params, x: np.ndarray) -> dict[int, float]:
    odds = np.exp(linear(params["logits"], x))
    best = sorted(range(router.num_experts), key=lambda e: -odds[e])[: router.top_k]
    total = sum(odds[e] for e in best) if router.renormalize else odds.sum()
    return {e: odds[e] / total for e in best}


@chosen.register
def _(router: SigmoidRouter, params: Params, x: np.ndarray) -> dict[int, float]:
    scores = 1.0 / (1.0 + np.exp(-x @ params["logits"]["kernel"]))
    steered = scores + params["bias"]
    size = router.num_experts // router.num_groups
    groups = [range(start, start + size) for start in range(0, router.num_experts, size)]
    groups.sort(key=lambda group: -sum(sorted(steered[e] for e in group)[-2:]))
    usable = [e for group in groups[: router.top_groups] for e in group]
    best = sorted(usable, key=lambda e: -steered[e])[: router.top_k]
    total = sum(scores[e] for e in best)
    return {e: router.scale * scores[e] / total for e in best}


@functools.singledispatch
def expert(experts: Any, params: Params, x: np.ndarray) -> np.ndarray:
    """One expert on a token."""
    raise TypeError(f"{type(experts).__name__} has no reference: register one here.")


@expert.register
def _(experts: GatedExperts, params: Params, x: np.ndarray) -> np.ndarray:
    gate, up, down = (params[name]["kernel"] for name in ("gate", "up", "down"))
    return (silu(x @ gate) * (x @ up)) @ down


@expert.register
def _(experts: ClampedGatedExperts, params: Params, x: np.ndarray) -> np.ndarray:
    # The same formulas as those of the dense block.
    dense = ClampedGatedMLP(hidden=experts.hidden, limit=experts.limit)
    return reference(dense, params, x[None])[0]


@reference.register
@per_token
def _(block: MixtureOfExperts, params: Params, x: np.ndarray) -> np.ndarray:
    y = np.zeros_like(x)
    for number, weight in chosen(block.router, params["router"], x).items():
        y += weight * expert(block.experts, take(params["experts"], number), x)
    if block.shared is not None:
        y += reference(block.shared, params["shared"], x[None])[0]
    return y
