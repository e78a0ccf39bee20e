"""Batches of prompts: token ids of different lengths, checked and padded on the left."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from recipes.data.ids import TokenIds
from recipes.errors import RecipeError

Prompts = npt.ArrayLike | Sequence[npt.ArrayLike]


def pad_left(rows: Prompts, name: str = "prompt") -> tuple[TokenIds, npt.NDArray[np.bool_]]:
    """Pad rows of token ids on the left to one length.

    Args:
        rows: Token ids, `[batch, seq]`, or a list of rows of any lengths.
        name: Name of the argument in messages.

    Returns:
        Token ids, `[batch, seq]`, and which of them are real.

    Raises:
        RecipeError: Rows that are empty, not whole numbers, or no rows but the ids of one.

    Example:
        >>> ids, real = pad_left([[5, 6, 7], [8]])
        >>> ids.tolist(), real.sum(axis=1).tolist()
        ([[5, 6, 7], [0, 0, 8]], [3, 1])
    """
    try:
        made = [np.asarray(row) for row in rows]  # pyright: ignore[reportGeneralTypeIssues]
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"{name}={rows!r} must be rows of token ids.", f"Write {name}=[[1, 2], [3]]."
        ) from error
    if not made:
        raise RecipeError(f"{name} has no rows.", "Give one row of token ids at least.")
    for index, row in enumerate(made):
        if row.ndim == 0:
            raise RecipeError(
                f"{name} is one row of token ids, and a batch of rows is expected.",
                f"Write {name}=[ids].",
            )
        if row.ndim > 1 or row.size == 0:
            shape = "is empty" if row.size == 0 else f"has the shape {row.shape}"
            raise RecipeError(
                f"Row {index} of {name} {shape}.",
                "Give it one token id at least, as [[1, 2], [3]].",
            )
        if not np.issubdtype(row.dtype, np.integer):
            raise RecipeError(
                f"Row {index} of {name} holds {row.dtype}, and token ids are integers.",
                f"Encode the text first, or convert the row: {name}.astype(int).",
            )
    length = max(map(len, made))
    ids = np.stack([np.pad(row, (length - len(row), 0)) for row in made]).astype(np.int32)
    real = np.arange(length) >= length - np.array([[len(row)] for row in made])
    return ids, real


def check_vocabulary(ids: npt.NDArray[np.integer], vocab_size: int, name: str = "prompt") -> None:
    """Refuse ids outside the vocabulary: JAX would read another row in silence.

    Raises:
        RecipeError: An id outside the vocabulary, with its position.
    """
    outside = (ids < 0) | (ids >= vocab_size)
    if outside.any():
        row, place = np.argwhere(outside)[0]
        raise RecipeError(
            f"Token id {ids[row, place]} in row {row} of {name} is outside the vocabulary, "
            f"0 to {vocab_size - 1}.",
            "Use the tokenizer and the model that belong together.",
        )


def check_count(**counts: Any) -> None:
    """Refuse sizes that are not whole numbers of at least 1.

    Raises:
        RecipeError: Names the argument.
    """
    for name, count in counts.items():
        whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
        if not whole or count < 1:
            raise RecipeError(
                f"{name}={count!r} must be a whole number of at least 1.", f"Write {name}=16."
            )


def check_key(key: Any) -> None:
    """Refuse what is not one random key.

    Raises:
        RecipeError: Says how to make one.
    """
    typed = isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not (typed and key.ndim == 0):
        raise RecipeError(f"key={key!r} must be one random key.", "Write key=jax.random.key(0).")
