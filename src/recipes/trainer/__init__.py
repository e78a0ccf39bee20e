"""A trainer for any Linen module: state, step, loop, checkpoints, metrics. It knows no model."""
