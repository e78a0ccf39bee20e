"""What the slots of attention hold: changes of queries and keys, values, heads, and scores."""

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp

from blocks.attention.kernels import Kernel, KernelCall, ScoreFunction, require
from blocks.carry import AndCarry, split_carry
from blocks.context import Context, Coordinates
from blocks.core.block import Block
from blocks.core.typing import Array, Float


class QKTransform(Block, kw_only=True):
    """A change of queries and keys before their product; its place in a tuple is its order."""

    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        query_at: Coordinates,
        key_at: Coordinates,
    ) -> tuple[
        Float[Array, "batch q_seq heads head_dim"], Float[Array, "batch kv_seq kv_heads head_dim"]
    ]:
        """Changes new queries and new keys; cached keys were changed when they were new."""
        raise TypeError(f"{type(self).__name__} changes nothing: give it a `__call__`.")


class ValueTransform(Block, kw_only=True):
    """A change of values before they are mixed; its place in a tuple is its order."""

    def __call__(
        self,
        value: Float[Array, "batch kv_seq kv_heads value_dim"],
        context: Context | None = None,
    ) -> AndCarry[Float[Array, "batch kv_seq kv_heads value_dim"]]:
        """Changes new values; cached values were changed when they were new."""
        raise TypeError(f"{type(self).__name__} changes nothing: give it a `__call__`.")


class HeadTransform(Block, kw_only=True):
    """A change of what the heads give, before `out` mixes it; its place in a tuple is its order."""

    def __call__(
        self,
        heads: Float[Array, "batch q_seq heads value_dim"],
        x: Float[Array, "batch q_seq embed"],
    ) -> Float[Array, "batch q_seq heads value_dim"]:
        """Changes the result of every head; `x` is what queries were made from."""
        raise TypeError(f"{type(self).__name__} changes nothing: give it a `__call__`.")


class ScoreModification(Block, kw_only=True):
    """A change of attention scores; its place in a tuple is its order."""

    def __call__(self, num_heads: int, context: Context | None = None) -> AndCarry[ScoreFunction]:
        """A pure function that a kernel calls on scores, or on any chunk of them."""
        raise TypeError(f"{type(self).__name__} changes nothing: give it a `__call__`.")


class Scale(ScoreModification, kw_only=True):
    r"""Replaces the factor $1/\sqrt{d}$ on scores.

    Attributes:
        factor: what the product of query and key is multiplied with.
    """

    factor: float

    def __call__(self, num_heads: int, context: Context | None = None) -> ScoreFunction:
        """The identity: kernels take the factor as a number, and apply it first."""
        return lambda scores, query_at, key_at: scores


class Sink(ScoreModification, kw_only=True):
    """One more logit per head in the softmax, after all changes of scores; its value is zero."""

    def __call__(self, num_heads: int, context: Context | None = None) -> ScoreFunction:
        """The identity: kernels take sinks as an array, and join them last."""
        return lambda scores, query_at, key_at: scores

    def logits(self, num_heads: int) -> Float[Array, "heads"]:
        """The logit of each head."""
        raise TypeError(f"{type(self).__name__} has no logits: give it a method `logits`.")


class SoftCap(ScoreModification, kw_only=True):
    r"""Bounds scores smoothly: $c \tanh(s / c)$.

    Attributes:
        cap: the bound $c$.

    Raises:
        ValueError: a cap that is not positive.

    References:
        Gemma Team, Gemma 2, 2024, arXiv:2408.00118.
    """

    cap: float

    def check_fields(self) -> None:
        """Refuses a bound that nothing fits under."""
        if self.cap <= 0:
            raise ValueError(f"cap={self.cap} must be positive; Gemma 2 has 50.")

    def __call__(self, num_heads: int, context: Context | None = None) -> ScoreFunction:
        """Bounds every score."""
        return lambda scores, query_at, key_at: self.cap * jnp.tanh(scores / self.cap)


def score_options(
    scores: Iterable[ScoreModification], num_heads: int, context: Context | None
) -> tuple[dict[str, Any], Context | None]:
    """What a kernel is told of score changes: its arguments `scale`, `changes` and `sinks`.

    With them comes the context for later parts, as `split_carry` gives it.
    """
    told = {"scale": None, "changes": (), "sinks": None}
    for change in scores:
        if isinstance(change, Scale):
            told["scale"] = change.factor
        elif isinstance(change, Sink):
            told["sinks"] = change.logits(num_heads)
        else:
            changed, context = split_carry(change(num_heads, context), context)
            told["changes"] += (changed,)
    return told, context


def check_kernel(kernel: Kernel, scores: Iterable[ScoreModification], **known: Any) -> None:
    """Refuses what is known not to go together before any call.

    Raises:
        ValueError: a kernel that does not support one of `scores` or what else is `known` of its
            calls, in the words of `KernelCall`; or two that replace one another.
    """
    scores = tuple(scores)
    for kind in (Scale, Sink):
        several = [change for change in scores if isinstance(change, kind)]
        if len(several) > 1:
            raise ValueError(f"{several[0]} and {several[1]} replace each other; keep one of them.")
    changes = tuple(repr(c) for c in scores if not isinstance(c, (Scale, Sink)))
    sinks = any(isinstance(change, Sink) for change in scores)
    require(kernel, KernelCall(changes=changes, sinks=sinks, **known))
