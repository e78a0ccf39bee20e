"""Token ids as arrays, and the code points of characters.

Apart from the tokenizers, which the command line names before it needs numpy.
"""

import numpy as np
import numpy.typing as npt

from recipes.errors import RecipeError

TokenIds = npt.NDArray[np.int32]


def check_ids(ids: npt.ArrayLike, vocab_size: int) -> npt.NDArray[np.integer]:
    """Convert ids to an array, after checking that all are inside the vocabulary.

    JAX clamps an index that is out of range, so a wrong id would silently train the wrong row.

    Raises:
        RecipeError: An id outside the vocabulary, with its position.
        TypeError: Ids that are not integers.
    """
    ids = np.asarray(ids)
    if ids.size == 0:
        return ids.astype(np.int32)
    if not np.issubdtype(ids.dtype, np.integer):
        raise TypeError(f"ids must be integers, not {ids.dtype}.")
    outside = (ids < 0) | (ids >= vocab_size)
    if np.any(outside):
        place = int(np.argmax(outside))
        raise RecipeError(
            f"Token id {ids.flat[place]} at position {place} is outside the vocabulary, "
            f"0 to {vocab_size - 1}.",
            "Use the tokenizer and the model that belong together.",
        )
    return ids


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """Code points of the characters of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def positions(vocabulary: str) -> TokenIds:
    """Build the table of positions in a sorted vocabulary by code point; -1 is none.

    The entry past the last known code point stands for all that lie beyond it.
    """
    known = code_points(vocabulary)
    table = np.full(int(known[-1]) + 2, -1, np.int32)
    table[known] = np.arange(len(known), dtype=np.int32)
    return table


def characters_to_ids(text: str, table: TokenIds) -> TokenIds:
    """Look up the characters of a text in a table of `positions`."""
    return table[np.minimum(code_points(text), len(table) - 1)]


def bytes_to_ids(data: bytes) -> TokenIds:
    """Return a byte string as ids."""
    return np.frombuffer(data, np.uint8).astype(np.int32)
