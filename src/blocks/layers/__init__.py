"""Layers: the transformer block, and stacks of it."""
