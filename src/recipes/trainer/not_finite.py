"""The end of a training whose gradients are no longer finite, with what shows why."""

from typing import Any

import jax
import numpy as np

from recipes.errors import RecipeError


class NotFiniteError(RecipeError):
    """Error for gradients that were not finite too many times in a row.

    The trainer's state then has the last finite parameters.

    Attributes:
        count: Number of those steps.
        row: Row of metrics up to the last step.
        batches: Last batches whose gradients were not finite, with an axis of batches before the
            others, by name; only what lies in this process.
    """

    def __init__(self, count: int, row: dict[str, Any], batches: dict[str, np.ndarray]):
        super().__init__(
            f"The gradient was not finite in the last {count} steps, up to step {row['step']}.",
            "Lower the learning rate or lengthen the warm-up, and resume from a checkpoint.",
        )
        self.count = count
        self.row = row
        self.batches = batches


def batches_at(group: Any, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """Some of the batches of a group, as arrays by name.

    Args:
        group: A tree of arrays with a leading axis of batches.
        chosen: Which of the first batches to take, as booleans.
    """
    places = np.flatnonzero(chosen)
    return {
        jax.tree_util.keystr(path, simple=True, separator=".") or "batch": np.asarray(leaf)[places]
        for path, leaf in jax.tree_util.tree_leaves_with_path(group)
        if getattr(leaf, "is_fully_addressable", True)
    }
