"""Positions: absolute, rotary and relative encodings of the order of tokens."""

from blocks.positions.alibi import ALiBi
from blocks.positions.convolutional import ConvolutionalPositions
from blocks.positions.grid import GridPositions, SinusoidalGrid
from blocks.positions.grid_bias import GridBias, SharedGridBias
from blocks.positions.grid_rotary import GridRoPE
from blocks.positions.learned import LearnedPositions
from blocks.positions.normed import NormedPositions
from blocks.positions.query_temperature import QueryTemperature
from blocks.positions.relative_bias import RelativeBias, SharedRelativeBias
from blocks.positions.rotary import RoPE, rotate
from blocks.positions.rotary_values import RotaryValues
from blocks.positions.scalings import (
    DynamicNTKScaling,
    LinearScaling,
    Llama3Scaling,
    LongRoPE,
    NTKScaling,
    RoPEScaling,
    YaRN,
)
from blocks.positions.sinusoidal import SinusoidalPositions

__all__ = [
    "ALiBi",
    "ConvolutionalPositions",
    "DynamicNTKScaling",
    "GridBias",
    "GridPositions",
    "GridRoPE",
    "LearnedPositions",
    "LinearScaling",
    "Llama3Scaling",
    "LongRoPE",
    "NTKScaling",
    "NormedPositions",
    "QueryTemperature",
    "RelativeBias",
    "RoPE",
    "RoPEScaling",
    "RotaryValues",
    "SharedGridBias",
    "SharedRelativeBias",
    "SinusoidalGrid",
    "SinusoidalPositions",
    "YaRN",
    "rotate",
]
