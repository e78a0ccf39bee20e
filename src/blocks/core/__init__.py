"""The core: base class of blocks, typed axes, checks, errors, and model surgery."""

from blocks.core.block import Block, fresh
from blocks.core.checks import checked
from blocks.core.initializers import Normal, VarianceScaling
from blocks.core.parameters import check_parameters
from blocks.core.surgery import find, override, replace

__all__ = [
    "Block",
    "Normal",
    "VarianceScaling",
    "check_parameters",
    "checked",
    "find",
    "fresh",
    "override",
    "replace",
]
