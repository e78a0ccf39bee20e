"""The safetensors format: a checked header, and tensors read one by one.

The package of that name does not say which tensor is at fault, and has no bfloat16 of numpy's.

References:
    Hugging Face, Safetensors format, github.com/huggingface/safetensors.
"""

import collections
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np

from recipes.data.files import opened_atomically
from recipes.errors import RecipeError

DTYPES: dict[str, np.dtype] = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(jnp.bfloat16),
    "F8_E4M3": np.dtype(jnp.float8_e4m3fn),
    "F8_E5M2": np.dtype(jnp.float8_e5m2),
    "C64": np.dtype(np.complex64),
    "U64": np.dtype(np.uint64),
    "I64": np.dtype(np.int64),
    "U32": np.dtype(np.uint32),
    "I32": np.dtype(np.int32),
    "U16": np.dtype(np.uint16),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
# The format's own limit; a header of a real model is below 1 MB.
MAX_HEADER = 100_000_000
# Arrays of NumPy and JAX have at most so many axes, and none is longer than this.
_MAX_AXES, _MAX_AXIS = 32, 2**31


class ReadableTensor(Protocol):
    """A tensor whose shape is known before it is read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Its dtype."""
        ...

    def read(self) -> np.ndarray:
        """Read the tensor."""
        ...


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file, which is read when it is asked for.

    Attributes:
        path: The file.
        dtype: Its dtype.
        shape: Its shape.
        offset: Its first byte in the file.
    """

    path: Path
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int

    def read(self) -> np.ndarray:
        """Read the tensor."""
        count = math.prod(self.shape)
        return np.fromfile(self.path, self.dtype, count, offset=self.offset).reshape(self.shape)


def read_header(path: Path) -> dict[str, StoredTensor]:
    """Read which tensors a file holds, after checking that they fill it without overlap.

    Raises:
        RecipeError: A file that is not of this format, cut short, or with a header that claims
            bytes it does not have.
    """

    def damaged(reason: str) -> RecipeError:
        return RecipeError(f"{str(path)!r} is damaged: {reason}.", "Get the file again.")

    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or length > min(MAX_HEADER, size - 8):
                raise damaged(f"its header claims {length} bytes, and the file has {size}")
            text = file.read(length)
    except OSError as error:
        raise RecipeError(
            f"{str(path)!r} cannot be read: {error.strerror}.", "Give a folder that can be read."
        ) from error
    try:
        header = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise damaged(f"its header is not a JSON object: {error}") from error
    if not isinstance(header, dict):
        raise damaged("its header is not a JSON object")
    header.pop("__metadata__", None)
    tensors, spans = {}, []
    for name, entry in header.items():
        match entry:
            case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(first), int(last)]}:
                whole = all(type(axis) is int and 0 <= axis < _MAX_AXIS for axis in shape)
            case _:
                raise damaged(f"the entry of {name!r} is not a dtype, a shape and two offsets")
        if len(shape) > _MAX_AXES or not whole:
            raise damaged(f"{name!r} has the shape {str(shape)[:80]}")
        if dtype not in DTYPES:
            raise RecipeError(
                f"{str(path)!r} has {name!r} in the dtype {dtype!r}, which is not supported.",
                "Convert it to float32 or bfloat16 where it came from.",
            )
        if last - first != math.prod(shape) * DTYPES[dtype].itemsize or first < 0:
            raise damaged(f"{name!r} has {last - first} bytes for the shape {shape} of {dtype}")
        spans.append((first, last, name))
        tensors[name] = StoredTensor(path, DTYPES[dtype], tuple(shape), 8 + length + first)
    end = 0
    for first, last, name in sorted(spans):
        if first != end:
            raise damaged(f"{name!r} begins at byte {first}, and the tensor before ends at {end}")
        end = last
    if 8 + length + end != size:
        raise damaged(f"its tensors end at byte {8 + length + end}, and the file has {size}")
    return tensors


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        ((twice, _),) = collections.Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{twice!r} stands in it twice")
    return found


def write(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write a file of tensors, which has its name once it is complete.

    Raises:
        OSError: The folder cannot be written.
        RecipeError: An array of a dtype that the format does not have.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    # The widest first, so that each begins at a multiple of its width.
    tensors = dict(sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])))
    end = 0
    for name, array in tensors.items():
        if array.dtype not in _NAMES:
            raise RecipeError(
                f"{name} has the dtype {array.dtype}, which safetensors does not have.",
                "Convert it to float32 or bfloat16.",
            )
        first, end = end, end + array.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [first, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with opened_atomically(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
