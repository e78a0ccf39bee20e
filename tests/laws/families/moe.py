"""Mixtures of experts: one token at a time, through the experts that it chooses."""

import functools
from typing import Any

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.references import Params, linear, per_token, reference, take

from blocks import (
    MLP,
    ClampedGatedMLP,
    GatedMLP,
    MixtureOfExperts,
    SigmoidRouter,
    SoftmaxRouter,
)
from blocks.mlp import XIELU
from blocks.moe import InputWeightedMixture, TokenGate

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
        "mixture_softmax_groups",
        MixtureOfExperts(
            router=SoftmaxRouter(
                num_experts=6, top_k=2, renormalize=False, num_groups=3, top_groups=2, scale=1.5
            ),
            expert=GatedMLP(hidden=2),
        ),
        vectors,
        6 * E + 6 * 3 * 2 * E,
        heavy=True,
    ),
    Case(
        "mixture_input_weighted",
        InputWeightedMixture(
            router=SigmoidRouter(num_experts=3, top_k=2, use_bias=False, renormalize=False),
            expert=GatedMLP(hidden=2),
            shared=TokenGate(mlp=GatedMLP(hidden=3)),
        ),
        vectors,
        3 * E + 3 * 3 * 2 * E + 3 * 3 * E + E,
        heavy=True,
    ),
    Case(
        "token_gate",
        TokenGate(mlp=MLP(hidden=3, activation=XIELU(), dropout_rate=0.3)),
        vectors,
        2 * 3 * E + 3 + E + 2 + E,
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


def best_of(
    router: SoftmaxRouter | SigmoidRouter, scores: np.ndarray, of_a_group: int
) -> list[int]:
    """The best experts in the best groups, which are those whose few best sum to most."""
    size = router.num_experts // router.num_groups
    groups = [range(start, start + size) for start in range(0, router.num_experts, size)]
    groups.sort(key=lambda group: -sum(sorted(scores[e] for e in group)[-of_a_group:]))
    usable = [e for group in groups[: router.top_groups] for e in group]
    return sorted(usable, key=lambda e: -scores[e])[: router.top_k]


@chosen.register
def _(router: SoftmaxRouter, params: Params, x: np.ndarray) -> dict[int, float]:
    odds = np.exp(linear(params["logits"], x))
    best = best_of(router, odds, of_a_group=1)
    total = sum(odds[e] for e in best) if router.renormalize else odds.sum()
    return {e: router.scale * odds[e] / total for e in best}


@chosen.register
def _(router: SigmoidRouter, params: Params, x: np.ndarray) -> dict[int, float]:
    scores = 1.0 / (1.0 + np.exp(-x @ params["logits"]["kernel"]))
    best = best_of(router, scores + params.get("bias", 0.0), of_a_group=2)
    total = sum(scores[e] for e in best) if router.renormalize else 1.0
    return {e: router.scale * scores[e] / total for e in best}


@reference.register
@per_token
def _(block: MixtureOfExperts, params: Params, x: np.ndarray) -> np.ndarray:
    y = np.zeros_like(x)
    for number, weight in chosen(block.router, params["router"], x).items():
        own, inside = take(params["experts"], number), isinstance(block, InputWeightedMixture)
        before, after = (weight, 1.0) if inside else (1.0, weight)
        y += after * reference(block.expert, own, before * x[None])[0]
    if block.shared is not None:
        y += reference(block.shared, params["shared"], x[None])[0]
    return y


@reference.register
@per_token
def _(block: TokenGate, params: Params, x: np.ndarray) -> np.ndarray:
    gate = 1.0 / (1.0 + np.exp(-linear(params["gate"], x)))
    return gate * reference(block.mlp, params["mlp"], x[None])[0]
