"""The text of a race: ids of characters, and windows that read each of them once."""

from pathlib import Path

import numpy as np

from recipes.errors import RecipeError


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a text as ids of its characters: nine tenths to train on, the rest to validate on.

    Raises:
        RecipeError: A file that is not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise RecipeError(
            f"The file is not UTF-8: byte 0x{byte:02x} at offset {error.start}.",
            "Convert the file to UTF-8.",
        ) from error
    characters = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    ids = np.unique(characters, return_inverse=True)[1].astype(np.int32)
    train, validation = np.split(ids, [len(ids) * 9 // 10])
    return train, validation


def check_lengths(text: np.ndarray, held_out: np.ndarray, context: int) -> None:
    """Check that a window fits into the training text, and that the held-out text has a target.

    Raises:
        RecipeError: A text that is too short.
    """
    for words, length, least in (
        ("train", len(text), context + 1),
        ("validate", len(held_out), 2),
    ):
        if length < least:
            raise RecipeError(
                f"The length of the text to {words} on, {length}, must be at least {least}.",
                "Give a longer text.",
            )


def evaluation_parts(text: np.ndarray, context: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows, `[parts, rows, context + 1]`, and weights by which each target counts once."""
    parts = -(-(len(text) - 1) // (rows * context))
    targets = np.arange(parts * rows * context).reshape(parts, rows, context)
    padded = np.resize(text, targets.size + 1)
    windows = padded[targets[..., :1] + np.arange(context + 1)]
    return windows, (targets < len(text) - 1).astype(np.float32)


def spread_starts(places: int, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw where windows start, `[steps, rows]`: evenly over the text in every step and over steps.

    Each row has a part of the text of its own. In it, a step starts where the golden ratio leads
    from the step before: so few windows see as much of the text as they can, whatever the seed.

    Args:
        places: Number of places where a window can start.
        shape: Steps and rows.
        rng: Draws where each row starts first.
    """
    steps, rows = shape
    golden = (5**0.5 - 1) / 2
    share = (rng.random(rows) + golden * np.arange(steps)[:, None]) % 1.0
    return ((np.arange(rows) + share) * (places / rows)).astype(np.int32)
