"""Residual layouts: where norms and adds stand around the sublayers of a block."""
