"""What blocks compute, written again in numpy float64, one token and one head at a time.

Each family of blocks registers its own, beside its cases.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

Params = dict[str, Any]


@functools.singledispatch
def reference(block: Any, params: Params, x: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """The block's result for one sequence; `others` are its further arrays, for this sequence."""
    raise TypeError(f"{type(block).__name__} has no reference: register one beside its cases.")


def per_token(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Has a rule for one token be applied to each."""

    @functools.wraps(function)
    def sequence(block: Any, params: Params, x: np.ndarray) -> np.ndarray:
        return np.stack([function(block, params, token) for token in x])

    return sequence


def linear(params: Params, x: np.ndarray) -> np.ndarray:
    return x @ params["kernel"] + params.get("bias", 0.0)


def take(tree: Any, index: int) -> Any:
    """The parameters of one repeat, from those of a scanned stack."""
    if isinstance(tree, dict):
        return {name: take(value, index) for name, value in tree.items()}
    return tree[index]
