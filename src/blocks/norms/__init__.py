"""Norms: functions of one token's features that keep activations in range."""

from blocks.norms.dynamic_tanh import DynamicTanh
from blocks.norms.group_norm import GroupNorm
from blocks.norms.layer_norm import LayerNorm
from blocks.norms.rms_norm import RMSNorm
from blocks.norms.scale_norm import ScaleNorm

__all__ = [
    "DynamicTanh",
    "GroupNorm",
    "LayerNorm",
    "RMSNorm",
    "ScaleNorm",
]
