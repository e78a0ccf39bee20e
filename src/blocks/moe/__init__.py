"""Mixtures of experts: a router sends every token to a few of many MLPs."""

from blocks.moe.mixture import MixtureOfExperts, auxiliary_losses
from blocks.moe.router import Router, Routing
from blocks.moe.sigmoid_router import SigmoidRouter, balanced_bias
from blocks.moe.softmax_router import SoftmaxRouter

__all__ = [
    "MixtureOfExperts",
    "Router",
    "Routing",
    "SigmoidRouter",
    "SoftmaxRouter",
    "auxiliary_losses",
    "balanced_bias",
]
