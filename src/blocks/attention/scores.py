"""Score modifications: pure functions of scores and of the coordinates of queries and keys."""

from typing import Annotated, Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from blocks.attention.inputs import AttentionInputs
from blocks.attention.returned import alike
from blocks.carry import split_carry
from blocks.context import Context, Coordinates
from blocks.core.block import Block, fresh
from blocks.core.bounds import positive
from blocks.core.errors.location import Location, running, where
from blocks.core.slots import Inner
from blocks.core.typing import Array, Float


class ScoreModification(Inner, Block, kw_only=True):
    """Base class for score modifications: changes of attention scores before mask and softmax.

    `parameters` creates what it learns, once per call of attention. `modify` is a pure function
    that kernels call on all scores or on any chunk of them: its result for a pair of query and key
    may depend on their score and coordinates, never on the shape of the chunk.

    Example:
        ```python
        >>> from blocks import MultiHeadAttention
        >>> from blocks.attention import ScoreModification
        >>> class Shifted(ScoreModification):
        ...     by: float = 1.0
        ...     def modify(self, scores, parameters, query_at, key_at):
        ...         return scores + self.by
        >>> MultiHeadAttention(num_heads=4, scores=(Shifted(by=2.0),)).scores
        (Shifted(by=2.0),)

        ```
    """

    def parameters(self, num_heads: int, inputs: AttentionInputs) -> Any:
        """Create the parameters of the modification: a pytree of floating point arrays."""
        return ()

    def modify(
        self,
        scores: Float[Array, "batch heads q_seq kv_seq"],
        parameters: Any,
        query_at: Coordinates,
        key_at: Coordinates,
    ) -> Float[Array, "batch heads q_seq kv_seq"]:
        """Modify a chunk of scores, given the result of `parameters`."""
        raise TypeError(f"{type(self).__name__} changes nothing: give it a method `modify`.")


class Modification(flax.struct.PyTreeNode):
    """A score modification bound to its parameters, as kernels receive it.

    It is a pytree whose leaves are the parameters, so that a kernel can differentiate them like any
    other argument, and is called as `modification(scores, query_at, key_at)`.

    Attributes:
        block: the score modification, unbound.
        parameters: the result of its `parameters`.
    """

    block: ScoreModification = flax.struct.field(pytree_node=False)
    parameters: Any = ()

    def __call__(self, scores: Array, query_at: Coordinates, key_at: Coordinates) -> Array:
        """Modify a chunk of scores.

        Raises:
            TypeError: the result is no floating point array.
            ValueError: the result has another shape.
        """
        call, kind = running.get(), type(self.block).__name__
        with Location(f"{kind} of {where(call[0])}" if call else kind):
            modified = self.block.modify(scores, self.parameters, query_at, key_at)
        return alike(modified, scores, self.block, "batch x heads x q_seq x kv_seq")


def bind(
    block: ScoreModification, num_heads: int, inputs: AttentionInputs
) -> tuple[Modification, Context]:
    """Bind a score modification to its parameters in this call.

    Returns:
        The modification, and the context with the carry that `parameters` left for later layers.

    Raises:
        TypeError: parameters other than floating point arrays.
    """
    result = block.parameters(num_heads, inputs)
    parameters, context = split_carry(result, inputs.context)
    for leaf in jax.tree.leaves(parameters):
        number = isinstance(leaf, (float, jax.Array, np.ndarray, np.generic))
        if not (number and jnp.issubdtype(jnp.result_type(leaf), jnp.floating)):
            raise TypeError(
                f"`parameters` returned {leaf!r}, which no kernel can differentiate; return "
                "floating point arrays, and keep numbers and choices in fields."
            )
    return Modification(fresh(block), jax.tree.map(jnp.asarray, parameters)), context


def distance(query_at: Coordinates, key_at: Coordinates) -> Float[Array, "#batch 1 q_seq kv_seq"]:
    """Distance of every query from every key, in tokens, for use in score modifications."""
    steps = query_at.positions[:, None, :, None] - key_at.positions[:, None, None, :]
    return jnp.abs(steps).astype(jnp.float32)


class SoftCap(ScoreModification, kw_only=True):
    r"""Smooth bound on scores: $c \tanh(s / c)$.

    Attributes:
        cap: the bound $c$.

    Raises:
        ValueError: a cap that is not positive.

    References:
        Gemma Team, Gemma 2, 2024, arXiv:2408.00118.
    """

    cap: Annotated[float, positive("; Gemma 2 has 50")]

    def modify(
        self,
        scores: Float[Array, "batch heads q_seq kv_seq"],
        parameters: Any,
        query_at: Coordinates,
        key_at: Coordinates,
    ) -> Float[Array, "batch heads q_seq kv_seq"]:
        """Bound every score."""
        return self.cap * jnp.tanh(scores / self.cap)
