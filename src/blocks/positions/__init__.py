"""Positions: absolute, rotary and relative encodings of the order of tokens."""

from blocks.positions.rotary import rotate

__all__ = ["rotate"]
