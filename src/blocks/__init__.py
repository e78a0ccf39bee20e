"""Typed Flax Linen blocks."""
