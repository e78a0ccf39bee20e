"""Attention that stores its weights in a collection when a call asks for them."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.kernels import Kernel, dot_product_attention, support_of
from blocks.core.leave import asked, leave
from blocks.core.typing import Array


def observed(module: nn.Module, kernel: Kernel, change: Callable[[Kernel], Kernel]) -> Kernel:
    """Attend with a kernel after the block's own `change` of it, and store the weights if asked.

    Attention is linear in its values, so its weights are its result for an identity matrix as
    values. To compute them, a kernel that does not support values of another width than keys is
    replaced by the reference.
    """
    if not asked("attention_weights"):
        return change(kernel)
    attend = change(kernel if support_of(kernel).value_dim else dot_product_attention)

    def attend_and_leave(
        query: Array, key: Array, value: Array, *where: Any, **options: Any
    ) -> Array:
        batch, seq, heads = value.shape[:3]
        identity = jnp.eye(seq, dtype=value.dtype)[None, :, None]
        identity = jnp.broadcast_to(identity, (batch, seq, heads, seq))
        weights = attend(query, key, identity, *where, **options)
        leave(module, "attention_weights", lambda: jnp.swapaxes(weights, 1, 2))
        return attend(query, key, value, *where, **options)

    return attend_and_leave
