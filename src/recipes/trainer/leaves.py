"""The leaves of a tree by their names, such as `params.norm.scale`."""

from typing import Any

import jax
import numpy as np

from recipes.errors import RecipeError

# Maximum number of differences that an error lists.
LISTED = 5


def named_leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by their names, in its order.

    Raises:
        RecipeError: Two leaves have the same name, as "b" in "a" and "a.b" do.

    Example:
        >>> named_leaves({"params": {"bias": 1, "scale": 2}})
        {'params.bias': 1, 'params.scale': 2}
    """
    named = dict[str, Any]()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = leaf_name(path)
        if name in named:
            raise RecipeError(f"Two arrays are called {name!r}.", "Use names without a point.")
        named[name] = leaf
    return named


def placed(leaf: Any) -> jax.sharding.Sharding | None:
    """The sharding of a leaf that is committed to devices; None for an uncommitted one."""
    return leaf.sharding if getattr(leaf, "committed", False) else None


def leaf_name(path: Any) -> str:
    """The name of the leaf at a path."""
    return jax.tree_util.keystr(path, simple=True, separator=".")


def differing_leaves(stored: Any, like: Any) -> str:
    """Describe the leaves in which two trees differ by name, shape or dtype; empty if none do.

    Example:
        >>> differing_leaves({"a": np.zeros(2)}, {"a": np.zeros(3)})
        'a is float64[2] there and float64[3] here'
    """
    there, here = _described(stored), _described(like)
    lines = [
        f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
    rest = [f"{len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "; ".join(lines[:LISTED] + rest)


def _described(tree: Any) -> dict[str, str]:
    return {
        name: f"{np.dtype(leaf.dtype).name}{list(leaf.shape)}"
        for name, leaf in named_leaves(tree).items()
    }
