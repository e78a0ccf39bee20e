"""Weights as the retired Flax classes of `transformers` wrote them, in one file of MessagePack."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from flax import serialization
from flax.traverse_util import flatten_dict

from recipes.errors import RecipeError

# What PyTorch's modules call the leaves.
_LEAVES = {"kernel": "weight", "scale": "weight", "embedding": "weight"}


@dataclass(frozen=True)
class HeldTensor:
    """A tensor that is in memory.

    Attributes:
        array: The tensor.
    """

    array: np.ndarray = field(repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        """Its dtype."""
        return self.array.dtype

    def read(self) -> np.ndarray:
        """Return the tensor."""
        return self.array


def read_msgpack(path: Path) -> Mapping[str, HeldTensor]:
    """Read a `flax_model.msgpack`, with the tensors' names and axes as PyTorch has them.

    The whole file is held in memory, as the format has no index.

    Raises:
        RecipeError: A file that cannot be read, or is damaged.
    """

    def damaged(reason: object) -> RecipeError:
        return RecipeError(f"{str(path)!r} is damaged: {reason}.", "Get the file again.")

    try:
        content = serialization.msgpack_restore(path.read_bytes())
    except OSError as error:
        raise RecipeError(
            f"{str(path)!r} cannot be read: {error.strerror}.", "Give a folder that can be read."
        ) from error
    except Exception as error:  # The bytes may be anything, and so is what restoring them raises.
        raise damaged(" ".join(str(error).split()) or type(error).__name__) from error
    if not isinstance(content, dict):
        raise damaged("it holds no tree of arrays")
    tensors = {}
    for path_of_leaf, leaf in flatten_dict(content).items():
        if not isinstance(leaf, np.ndarray):
            raise damaged(f"{'.'.join(map(str, path_of_leaf))} is not an array")
        name, array = in_pytorch(tuple(map(str, path_of_leaf)), leaf)
        tensors[name] = HeldTensor(array)
    return tensors


def in_pytorch(path: tuple[str, ...], leaf: np.ndarray) -> tuple[str, np.ndarray]:
    """Name a parameter of a Flax class as the PyTorch class does, with the axes that it has there.

    Args:
        path: Names from the root of the tree to the parameter.
        leaf: The parameter.

    Example:
        >>> name, weight = in_pytorch(("h", "0", "mlp", "kernel"), np.zeros((2, 3)))
        >>> name, weight.shape
        ('h.0.mlp.weight', (3, 2))
    """
    *modules, last = path
    if last == "kernel":
        # Flax keeps inputs before outputs, and both after the window of a convolution.
        leaf = leaf.transpose(3, 2, 0, 1) if leaf.ndim == 4 else leaf.T
    return ".".join([*modules, _LEAVES.get(last, last)]), leaf
