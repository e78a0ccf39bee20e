"""MLPs and their activations."""

from blocks.mlp.activations import gelu, quick_gelu, squared_relu
from blocks.mlp.clamped import ClampedGatedMLP
from blocks.mlp.gated import GatedMLP
from blocks.mlp.mlp import MLP
from blocks.mlp.xielu import XIELU

__all__ = [
    "MLP",
    "XIELU",
    "ClampedGatedMLP",
    "GatedMLP",
    "gelu",
    "quick_gelu",
    "squared_relu",
]
