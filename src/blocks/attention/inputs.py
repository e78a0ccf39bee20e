"""`AttentionInputs`: the call, as every part of attention receives it."""

import flax.struct

from blocks.context import Context, Coordinates
from blocks.core.typing import Array, Float


class AttentionInputs(flax.struct.PyTreeNode):
    """Inputs of the parts of attention: qk transforms, value transforms, gates and scores.

    Attributes:
        x: input of attention, from which queries are projected.
        context: context of the call.
        deterministic: whether dropout is off.
        query_at: coordinates of the queries.
        key_at: coordinates of the new keys; those of earlier calls are in the cache.
    """

    x: Float[Array, "batch seq embed"]
    context: Context
    deterministic: bool = flax.struct.field(pytree_node=False)
    query_at: Coordinates
    key_at: Coordinates
