"""Mixtures of experts: one token at a time, through the experts that it chooses."""

import functools
from typing import Any

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.references import Params, linear, per_token, reference, take

from blocks import (
    ClampedGatedMLP,
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
            expert=GatedMLP(hidden=4),
        ),
        vectors,
        3 * E + 3 * 3 * 4 * E,
    ),
    Case(
        "mixture_grouped",
        MixtureOfExperts(
            router=SigmoidRouter(num_experts=6, top_k=2, num_groups=3, top_groups=2, scale=1.5),
            expert=GatedMLP(hidden=2),
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
            expert=ClampedGatedMLP(hidden=4, limit=0.5),
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


@reference.register
@per_token
def _(block: MixtureOfExperts, params: Params, x: np.ndarray) -> np.ndarray:
    y = np.zeros_like(x)
    for number, weight in chosen(block.router, params["router"], x).items():
        y += weight * reference(block.expert, take(params["experts"], number), x[None])[0]
    if block.shared is not None:
        y += reference(block.shared, params["shared"], x[None])[0]
    return y
