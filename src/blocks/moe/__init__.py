"""Mixtures of experts: a router sends every token to a few of many MLPs."""

from blocks.moe.input_weighted import InputWeightedMixture
from blocks.moe.mixture import MixtureOfExperts, auxiliary_losses
from blocks.moe.router import Router, Routing
from blocks.moe.sigmoid_router import SigmoidRouter, balanced_bias
from blocks.moe.softmax_router import SoftmaxRouter
from blocks.moe.token_gate import TokenGate

__all__ = [
    "InputWeightedMixture",
    "MixtureOfExperts",
    "Router",
    "Routing",
    "SigmoidRouter",
    "SoftmaxRouter",
    "TokenGate",
    "auxiliary_losses",
    "balanced_bias",
]
