"""Cells of a grid: where the tokens of an image stand, extra tokens first, then patches by row."""

from typing import Protocol

import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.core.checks import check_values
from blocks.core.typing import Array, Bool, Int, typed


class OnGrid(Protocol):
    """A part with the fields of a grid."""

    rows: int
    columns: int
    extra_tokens: int


def check_image(part: OnGrid, inputs: AttentionInputs) -> None:
    """Check that the tokens of a call are those of an image of this grid.

    Raises:
        ValueError: another number of tokens, where neither padding nor positions are given.
    """
    context, seq = inputs.context, inputs.x.shape[1]
    tokens = part.extra_tokens + part.rows * part.columns
    told = (context.positions, context.valid, context.segment_ids)
    if seq != tokens and all(given is None for given in told):
        raise ValueError(
            f"rows={part.rows}, columns={part.columns} and extra_tokens={part.extra_tokens} are "
            f"{tokens} tokens of an image, and the call has {seq}; give rows and columns the "
            "numbers of patches."
        )
    positions = inputs.query_at.positions
    check_values(
        (positions >= 0).all() & (positions < tokens).all(),
        "positions from {low} to {high} do not fit an image of {tokens} tokens.",
        low=positions.min(initial=tokens),
        high=positions.max(initial=0),
        tokens=tokens,
    )


@typed
def cells(
    positions: Int[Array, "#batch seq"], columns: int, extra_tokens: int
) -> tuple[Int[Array, "#batch seq"], Int[Array, "#batch seq"], Bool[Array, "#batch seq"]]:
    """Compute row and column of each token, and whether it is a patch; extra tokens have 0."""
    cell = jnp.maximum(positions - extra_tokens, 0)
    return cell // columns, cell % columns, positions >= extra_tokens
