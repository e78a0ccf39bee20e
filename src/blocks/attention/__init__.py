"""Attention: kernels, masks, score changes, caches, and the blocks made from them."""
