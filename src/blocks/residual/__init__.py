"""Residual layouts: the placement of norms and additions around the sublayers of a block."""

from blocks.residual.adaptive import AdaptiveNormZero
from blocks.residual.canon import Canon
from blocks.residual.hyper_connections import HyperConnections
from blocks.residual.layout import Residual
from blocks.residual.parallel import Parallel, ParallelNorms
from blocks.residual.placement import OutputNorm, PostNorm, PreNorm, SandwichNorm
from blocks.residual.resi_dual import ResiDual
from blocks.residual.scaled import DeepNorm, LayerScale, ReZero, deep_norm_params
from blocks.residual.scaled_residual import ScaledResidual
from blocks.residual.stochastic_depth import StochasticDepth
from blocks.residual.streams import Streams
from blocks.residual.without_norm import WithoutNorm
from blocks.residual.x0_mix import X0Mix

__all__ = [
    "AdaptiveNormZero",
    "Canon",
    "DeepNorm",
    "HyperConnections",
    "LayerScale",
    "OutputNorm",
    "Parallel",
    "ParallelNorms",
    "PostNorm",
    "PreNorm",
    "ReZero",
    "ResiDual",
    "Residual",
    "SandwichNorm",
    "ScaledResidual",
    "StochasticDepth",
    "Streams",
    "WithoutNorm",
    "X0Mix",
    "deep_norm_params",
]
