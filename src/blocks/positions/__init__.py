"""Positions: how a model knows the order of its tokens."""

from blocks.positions.rotary import rotate

__all__ = ["rotate"]
