"""Settings that every test runs under."""

import jax

# Two arrays of different rank never combine in silence: a missing axis is an error.
jax.config.update("jax_numpy_rank_promotion", "raise")
