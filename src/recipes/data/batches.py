"""Batches of token ids: shuffled windows for training, every target once for evaluation."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from recipes.data.encoded import EncodedText, Mixture, as_encoded
from recipes.data.windows import Batch, Documents, evaluation_windows, training_windows
from recipes.errors import RecipeError

if TYPE_CHECKING:  # sampling needs none of it, and its import takes half a second
    import grain

Tokens = TypeVar("Tokens", npt.NDArray[np.integer], EncodedText)

# Grain counts batches in floats, which are exact up to this: a million windows a second for 285
# years. Its own endless repetition overflows when a batch is one window.
_ENDLESS = 2**53


def split_tokens(tokens: Tokens, context: int) -> tuple[Tokens, Tokens]:
    """Split tokens: the first 90 % for training and the rest for validation, as in nanoGPT.

    Raises:
        RecipeError: A split too short for one window, which is `context` inputs and one target.
    """
    cut = split_at(len(tokens), context)
    if isinstance(tokens, EncodedText):
        return tokens.part(0, cut), tokens.part(cut, len(tokens))
    train, validation = np.split(tokens, [cut])
    return train, validation


def split_at(tokens: int, context: int) -> int:
    """The number of tokens to train on.

    Raises:
        RecipeError: A split too short for one window.
    """
    train = tokens * 9 // 10
    validation = tokens - train
    if min(train, validation) <= context:
        longest = max(validation - 1, 0)
        shorter = f", or context={longest} at most" if longest > 0 else ""
        raise RecipeError(
            f"The corpus has {tokens} tokens, {train} to train on and "
            f"{validation} to validate on, and context={context} needs {context + 1} in each.",
            f"Use a corpus of {10 * context + 1} tokens or more{shorter}.",
        )
    return train


class TrainingBatches(Iterator[Batch]):
    """An endless iterator over batches whose position can be saved and restored.

    Its state is a dictionary of integers, fit for JSON: the next batch, and what identifies the
    stream, so that a position in another stream is refused.
    """

    def __init__(self, batches: grain.MapDataset[Batch], stream: dict[str, int]):
        import grain

        self._length = len(batches)
        # A batch takes a fraction of a millisecond: threads would cost more than they hide.
        inline = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
        self._batches = iter(batches.to_iter_dataset(inline))
        self._stream = stream

    def __next__(self) -> Batch:
        return next(self._batches)

    def get_state(self) -> dict[str, int]:
        """The position after the batches so far."""
        return {"next_batch": self._batches.get_state()["next_index"], **self._stream}

    def set_state(self, state: dict[str, int]) -> None:
        """Continue where `get_state` was called.

        Raises:
            RecipeError: The state is damaged or of another stream; the position stays as it was.
        """
        expected = {"next_batch", *self._stream}
        if (
            not isinstance(state, dict)
            or state.keys() != expected
            or not all(map(_is_count, state.values()))
            or state["next_batch"] > self._length
        ):
            raise RecipeError(
                f"The saved data position {state!r} is damaged: "
                f"it must hold {', '.join(sorted(expected))}, integers from 0.",
                "Resume from an earlier checkpoint.",
            )
        for name, value in self._stream.items():
            if state[name] != value:
                raise RecipeError(
                    f"The data position was saved with {name}={state[name]}, "
                    f"and this run has {name}={value}.",
                    "Resume with the corpus and the settings of the run, or start a new run.",
                )
        self._batches.set_state({"next_index": state["next_batch"]})


def training_batches(
    tokens: npt.ArrayLike | EncodedText,
    *,
    context: int,
    batch_size: int,
    seed: int,
    documents: Documents = "joined",
) -> TrainingBatches:
    """Endless batches of all overlapping windows, reshuffled in every epoch.

    Window i is inputs `tokens[i : i + context]` and targets one token further. An epoch holds
    each of the `len(tokens) - context` windows once. A batch that an epoch's end cuts short is
    filled with the first windows of the next epoch, so no window is dropped. Grain computes the
    order window by window, so an epoch takes no memory; below some thousand windows each costs
    more, up to a millisecond.

    Of a `Mixture` each text has epochs of its own, and the order of texts repeats itself: with
    weights 3 and 1 every fourth window is of the second. Weights are rounded to a hundredth of the
    smallest.

    Args:
        tokens: Ids, more than `context` of them; an array is one document.
        context: Tokens in a window.
        batch_size: Windows in a batch.
        seed: Fixes the order, 0 to 2**32 - 1.
        documents: What windows make of documents. `joined` ones are one text. In `packed` ones,
            `segment_ids` tell which tokens belong together. `padded` windows hold one document, or
            a part of a long one, and do not overlap; `weights` is 0 where a target is padding.

    Raises:
        RecipeError: A seed out of range, or fewer tokens than a window needs.

    Example:
        >>> batches = training_batches(np.arange(100), context=4, batch_size=2, seed=0)
        >>> batch = next(batches)
        >>> batch["inputs"].shape, bool((batch["targets"] == batch["inputs"] + 1).all())
        ((2, 4), True)
    """
    import grain

    if not 0 <= seed < 2**32:
        raise RecipeError(f"seed={seed} is out of range.", "Use a seed from 0 to 4294967295.")
    tokens = as_encoded(tokens)
    windows = training_windows(tokens, context, documents)
    is_mixture = isinstance(tokens, Mixture)
    parts = [windows.inside(*part) for part in tokens.parts] if is_mixture else [(0, len(windows))]
    counts = [last - first for first, last in parts]
    if min(counts) < 1:
        raise too_few(len(tokens), context + 1)
    # Texts with equally many windows would otherwise be drawn in the same order. The seed of an
    # epoch is one more than that of the epoch before, so neighbouring numbers would not do.
    seeds = np.random.SeedSequence(seed).generate_state(len(parts)) if is_mixture else [seed]
    shuffled = [
        grain.MapDataset.range(*part).shuffle(seed=int(own)).repeat(_ENDLESS // count)
        for part, count, own in zip(parts, counts, seeds, strict=True)
    ]
    mixed = grain.MapDataset.mix(shuffled, _rounded(tokens.weights)) if is_mixture else shuffled[0]
    gather = functools.partial(windows.batch, weights=documents == "padded")
    batches = mixed.batch(batch_size, batch_fn=gather)
    stream = {"windows": sum(counts), "context": context, "batch_size": batch_size, "seed": seed}
    return TrainingBatches(batches, stream)


def evaluation_batches(
    tokens: npt.ArrayLike | EncodedText,
    *,
    context: int,
    batch_size: int,
    documents: Documents = "joined",
) -> list[Batch]:
    """Batches in which every token but the first is a target exactly once.

    Windows stand one after the other without overlap. A short one is padded with zeros and the
    last batch with empty windows, so that all batches have the same shape; `weights` is 1 where a
    target counts and 0 where it is padding. `documents` is as in `training_batches`.

    Raises:
        RecipeError: Fewer than two tokens.

    Example:
        >>> (batch,) = evaluation_batches(np.arange(6), context=4, batch_size=2)
        >>> batch["targets"].tolist(), batch["weights"].tolist()
        ([[1, 2, 3, 4], [5, 0, 0, 0]], [[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    """
    tokens = as_encoded(tokens)
    if len(tokens) < 2:
        raise too_few(len(tokens), 2)
    windows = evaluation_windows(tokens, context, documents)
    rows = np.arange(batch_size)
    firsts = range(0, len(windows), batch_size)
    return [windows.batch(first + rows, weights=True) for first in firsts]


def too_few(tokens: int, needed: int) -> RecipeError:
    """The error of a text that is shorter than a window."""
    return RecipeError(
        f"The text has {tokens} tokens and one window needs {needed}.", "Use a longer text."
    )


def _rounded(weights: tuple[float, ...]) -> list[int]:
    """Weights in hundredths of the smallest: Grain has no finer ones, and would truncate them."""
    return [round(100 * weight / min(weights)) for weight in weights]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
