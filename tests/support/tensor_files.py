"""Files of tensors written by hand, as the format's description has them."""

import json
import struct
from pathlib import Path
from typing import Any

from recipes.weights.folder import INDEX


def entry(first: int, last: int, *shape: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [first, last]}


def file_of(path: Path, header: object, data: bytes = b"", *, claims: int | None = None) -> Path:
    """A file as the format's description has it; a text stands for a header as it is."""
    text = header if isinstance(header, str) else json.dumps(header)
    length = len(text.encode()) if claims is None else claims
    path.write_bytes(struct.pack("<Q", length) + text.encode() + data)
    return path


def index(folder: Path, places: object) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))
