"""Windows over the tokens of documents, as arrays of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from recipes.data.encoded import EncodedText

Batch: TypeAlias = dict[str, np.ndarray]
# What windows make of documents: see `training_batches`.
Documents: TypeAlias = Literal["joined", "packed", "padded"]


@dataclass(frozen=True)
class Windows:
    """Windows of up to `context` inputs, of which each predicts the token after it.

    Attributes:
        tokens: The tokens.
        context: Tokens in a window.
        documents: What windows make of documents.
        begins: Position of the first input of each window; any position if None.
        whole: Whether all windows have `context` inputs.
    """

    tokens: EncodedText
    context: int
    documents: Documents
    begins: npt.NDArray[np.int64] | None
    whole: bool

    def __len__(self) -> int:
        every = max(len(self.tokens) - self.context, 0)
        return every if self.begins is None else len(self.begins)

    def inside(self, first: int, last: int) -> tuple[int, int]:
        """The first of the windows that begin at `first` or later, and the one after the last.

        Windows of any position end before the token `last`, others begin before it.
        """
        if self.begins is None:
            return first, max(first, last - self.context)
        bounds = np.searchsorted(self.begins, [first, last])
        return int(bounds[0]), int(bounds[1])

    def batch(self, rows: npt.ArrayLike, *, weights: bool) -> Batch:
        """Gather windows: inputs, targets and, where they are needed, segment ids and weights.

        Args:
            rows: Numbers of the windows; those past the last are empty.
            weights: Whether to add which targets count, 1 or 0.
        """
        rows = np.asarray(rows, np.int64)
        inside = rows < len(self)
        begins = rows if self.begins is None else self.begins[np.where(inside, rows, 0)]
        ids, steps = self.tokens.ids, np.arange(self.context + 1)
        if self.whole and inside.all():
            views = np.lib.stride_tricks.sliding_window_view(ids, self.context + 1)
            window = views[begins].astype(np.int32)
            real = np.ones((len(rows), self.context), bool)
        else:
            ends = np.where(inside, self._ends(begins), begins)
            real = begins[:, None] + steps[None, 1:] <= ends[:, None]
            places = np.minimum(begins[:, None] + steps[None, :], len(ids) - 1)
            window = ids[places].astype(np.int32)
        inputs, targets = (np.where(real, part, 0) for part in (window[:, :-1], window[:, 1:]))
        batch = {"inputs": inputs, "targets": targets}
        if self.documents == "packed":
            places = begins[:, None] + steps[None, :-1]
            numbers = np.searchsorted(self.tokens.starts, places, side="right")
            batch["segment_ids"] = (numbers - numbers[:, :1]).astype(np.int32)
        if weights:
            batch["weights"] = real.astype(np.float32)
        return batch

    def _ends(self, begins: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Position of the last target of windows: the first token of the next document counts."""
        last = len(self.tokens) - 1
        if self.documents != "padded":
            return np.full_like(begins, last)
        after = np.searchsorted(self.tokens.starts, begins, side="right")
        return np.append(self.tokens.starts[1:], last)[after - 1]


def training_windows(tokens: EncodedText, context: int, documents: Documents) -> Windows:
    """All windows to train on: at every position, or in every document."""
    if documents == "padded":
        return Windows(tokens, context, documents, _in_documents(tokens, context), False)
    return Windows(tokens, context, documents, None, True)


def evaluation_windows(tokens: EncodedText, context: int, documents: Documents) -> Windows:
    """Windows in which every token but the first is a target exactly once."""
    if documents == "padded":
        return training_windows(tokens, context, documents)
    begins = np.arange(0, len(tokens) - 1, context)
    return Windows(tokens, context, documents, begins, False)


def _in_documents(tokens: EncodedText, context: int) -> npt.NDArray[np.int64]:
    """Where windows begin that do not overlap and lie within a document each."""
    ends = np.append(tokens.starts[1:], len(tokens) - 1)
    counts = -(-(ends - tokens.starts) // context)
    firsts = np.repeat(tokens.starts, counts)
    before = np.repeat(np.cumsum(counts) - counts, counts)
    return firsts + context * (np.arange(len(firsts)) - before)
