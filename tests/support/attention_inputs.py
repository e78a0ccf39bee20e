"""What attention gives its parts, for tests that call a part alone."""

import jax
import jax.numpy as jnp

from blocks import Context
from blocks.attention import AttentionInputs
from blocks.context import Coordinates


def placed(query_at: Coordinates, key_at: Coordinates | None = None) -> AttentionInputs:
    """Inputs of which a part looks at the coordinates alone."""
    x: jax.Array = jnp.zeros((1, query_at.order.shape[1], 1))
    return AttentionInputs(x, Context(), True, query_at, query_at if key_at is None else key_at)
