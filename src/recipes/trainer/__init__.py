"""A trainer for any Linen module: state, step, loop, checkpoints and metrics."""
