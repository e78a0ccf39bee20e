"""What every cache is: arrays with the rows of a batch in front, and a count that rows share."""

from typing import Self

import flax.struct
import jax
import jax.numpy as jnp

from blocks.core.typing import Array, Int


class Cache(flax.struct.PyTreeNode):
    """What a block keeps between calls, in Linen's collection `cache`.

    A kind of cache is a subclass that adds its fields: arrays, or trees of them, whose first axis
    is the batch. Whatever works on all caches, as `select_rows` does, then works on it.

    Attributes:
        length: tokens so far, padding included; the same for all rows.
        seen: real tokens of each row.
    """

    length: Int[Array, ""]
    seen: Int[Array, "batch"]

    def select(self, rows: Int[Array, "rows"]) -> Self:
        """The cache of some rows, in a new order."""
        if self.length.ndim:  # a scan keeps the caches of its layers in one, with an axis in front
            return jax.vmap(lambda layer: layer.select(rows))(self)
        chosen = jax.tree.map(lambda leaf: jnp.take(leaf, rows, axis=0), self.replace(length=None))
        return chosen.replace(length=self.length)
