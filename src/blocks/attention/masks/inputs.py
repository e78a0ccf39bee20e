"""Masks by what comes with the call: padding and documents; and all that hides a key, together."""

from blocks.attention.masks.mask import Mask
from blocks.context import Coordinates
from blocks.core.typing import Array, Bool, typed


class Padding(Mask):
    """Sees real tokens only: those that the call's `context.valid` marks.

    Attention applies it to every call that brings `valid`; written out, it insists on one.

    Raises:
        ValueError: the call brings no `valid`.
    """

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Looks at the keys alone."""
        if key.valid is None:
            raise ValueError("Padding() needs to know the padding; call with Context(valid=...).")
        return key.valid[:, None, None, :]


class Segments(Mask):
    """Sees tokens of its own document only, by the call's `context.segment_ids`.

    Attention applies it to every call that brings `segment_ids`; written out, it insists on them.

    Raises:
        ValueError: the call brings no `segment_ids`.
    """

    @typed
    def __call__(
        self, query: Coordinates, key: Coordinates
    ) -> Bool[Array, "#batch 1 #q_seq kv_seq"]:
        """Compares document numbers."""
        if query.segment_ids is None or key.segment_ids is None:
            raise ValueError("Segments() needs documents; call with Context(segment_ids=...).")
        return query.segment_ids[:, None, :, None] == key.segment_ids[:, None, None, :]


def visible(
    mask: Mask | None, query: Coordinates, key: Coordinates
) -> Bool[Array, "#batch 1 #q_seq kv_seq"] | None:
    """Which keys are visible: by the mask, by padding and by documents; None where all are."""
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
