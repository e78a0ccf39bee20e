"""Layers: the transformer block, and stacks of it."""

from blocks.layers.skip_stack import SkipStack
from blocks.layers.stack import Stack, stack_layers, unstack_layers
from blocks.layers.transformer_block import TransformerBlock

__all__ = [
    "SkipStack",
    "Stack",
    "TransformerBlock",
    "stack_layers",
    "unstack_layers",
]
