"""Attention: kernels, masks, score modifications, caches, and the blocks made from them."""

from blocks.attention.scores import Modification, distance

__all__ = ["Modification", "distance"]
