"""Which activations layers keep for the backward pass, by the names of `GPTConfig.remat`."""

from collections.abc import Callable
from typing import Any

import jax

# Made once: two calls of `save_only_these_names` are two functions, and their models are not equal.
REMAT: dict[str, bool | Callable[..., Any]] = {
    "none": False,
    "full": True,
    "sublayers": jax.checkpoint_policies.save_only_these_names("attention", "mlp"),
    "dots": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
}
