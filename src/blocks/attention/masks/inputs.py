"""Masks from arrays of the call, for padding and documents, and `visible`, which applies all."""

from blocks.attention.masks.mask import Mask
from blocks.context import Coordinates
from blocks.core.typing import Array, Bool, typed


class Padding(Mask):
    """Padding mask: only tokens that `context.valid` marks as real are visible.

    Attention applies it to every call with `valid`; in the slot `mask` it makes `valid` mandatory.

    Raises:
        ValueError: a call without `valid`.
    """

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Return whether each key is real."""
        if key.valid is None:
            raise ValueError("Padding() needs to know the padding; call with Context(valid=...).")
        return key.valid[:, None, None, :]


class Segments(Mask):
    """Document mask: only tokens with the same `context.segment_ids` are visible.

    Attention applies it to every call with `segment_ids`; in the slot `mask` it makes them
    mandatory.

    Raises:
        ValueError: a call without `segment_ids`.
    """

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Compare document numbers."""
        if query.segment_ids is None or key.segment_ids is None:
            raise ValueError("Segments() needs documents; call with Context(segment_ids=...).")
        return query.segment_ids[:, None, :, None] == key.segment_ids[:, None, None, :]


def visible(
    mask: Mask | None, query: Coordinates, key: Coordinates
) -> Bool[Array, "#batch 1 #q_seq kv_seq"] | None:
    """Combine mask, padding and documents into the visible keys; None where all are visible."""
    rules = [] if mask is None else [mask]
    if key.valid is not None:
        rules.append(Padding())
    if key.segment_ids is not None and query.segment_ids is not None:
        rules.append(Segments())
    if not rules:
        return None
    result = rules[0](query, key)
    for rule in rules[1:]:
        result = result & rule(query, key)
    return result
