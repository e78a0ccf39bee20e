"""Select rows of a batch in all caches of a model, as beam search does."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from blocks.attention.caches.state import CacheState
from blocks.core.checks import check_values
from blocks.core.typing import Array, Int, typed


@typed
def select_rows(cache: Mapping[str, Any], rows: Int[Array, "rows"]) -> dict[str, Any]:
    """Select rows of the batch in a model's `cache` collection, in a new order.

    A beam with two continuations is a row that is selected twice. Caches of a scanned `Stack` are
    handled too.

    Args:
        cache: the collection, as `apply(..., mutable=["cache"])` returned it.
        rows: index of the old row for each new row.

    Raises:
        ValueError: a row that the batch does not have.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, Context, MultiHeadAttention
        >>> from blocks.attention.caches import select_rows
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> x, context = jnp.ones((3, 1, 8)), Context(cache_size=4)
        >>> cache = jax.jit(attention.init)(jax.random.key(0), x, context)["cache"]
        >>> select_rows(cache, jnp.array([2, 2]))["key_value"].keys.shape
        (2, 4, 2, 4)

        ```
    """
    states = [node for node in jax.tree.leaves(cache, is_leaf=_is_state) if _is_state(node)]
    batch = states[0].num_tokens.shape[-1] if states else 0
    check_values(
        (rows >= 0).all() & (rows < batch).all(),
        "rows from {low} to {high} do not fit a batch of {batch}; count them from 0.",
        low=rows.min(initial=jnp.iinfo(rows.dtype).max),
        high=rows.max(initial=jnp.iinfo(rows.dtype).min),
        batch=batch,
    )

    def choose(node: Any) -> Any:
        return node.select(rows) if _is_state(node) else jnp.take(node, rows, axis=0)

    return jax.tree.map(choose, dict(cache), is_leaf=_is_state)


def _is_state(node: Any) -> bool:
    return isinstance(node, CacheState)
