"""A folder of published weights: its configuration and its tensors."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recipes.data.safetensors import ReadableTensor, StoredTensor, read_header
from recipes.errors import RecipeError
from recipes.weights.msgpack import read_msgpack

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
FLAX_WEIGHTS = "flax_model.msgpack"
# A configuration has a few kilobytes, an index a few megabytes.
_MAX_JSON = 50_000_000
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RecipeError: The file is missing, too large, or no JSON object.
    """
    try:
        if path.stat().st_size > _MAX_JSON:
            raise RecipeError(
                f"{str(path)!r} has more than {_MAX_JSON:,} bytes.", "Get the file again."
            )
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise RecipeError(
            f"{str(path)!r} cannot be read: {error.strerror}.",
            f"Give a folder with {CONFIG} and {WEIGHTS}, as `save_pretrained` writes it.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{str(path)!r} is not JSON: {error}.", "Get the file again.") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{str(path)!r} is not a JSON object.", "Get the file again.")
    return content


def tensors_of(folder: Path) -> Mapping[str, ReadableTensor]:
    """Find the tensors in a folder, in one file or in those that an index names.

    A folder of a retired Flax class has a file of MessagePack alone.

    Raises:
        RecipeError: No weights, weights that would have to be unpickled, an index that does not
            fit its files or leads out of the folder, or a damaged file.
    """
    if (folder / INDEX).exists():
        return _indexed(folder)
    if (folder / WEIGHTS).exists():
        return read_header(folder / WEIGHTS)
    if (folder / FLAX_WEIGHTS).exists():
        return read_msgpack(folder / FLAX_WEIGHTS)
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    pickled = [name for name in names if name.endswith(_PICKLES)]
    if pickled:
        raise RecipeError(
            f"{str(folder)!r} has its weights in {pickled[0]!r}, a pickle, which could run code.",
            f"Convert it where it came from: save_pretrained(...) writes {WEIGHTS}.",
        )
    raise RecipeError(
        f"{str(folder)!r} has no {WEIGHTS}.",
        "Give a folder as `save_pretrained` writes it.",
    )


def _indexed(folder: Path) -> Mapping[str, StoredTensor]:
    index = read_json(folder / INDEX).get("weight_map")
    if not isinstance(index, dict) or not all(isinstance(name, str) for name in index.values()):
        raise RecipeError(f"{INDEX} has no weight_map from tensors to files.", "Get it again.")
    found: dict[str, StoredTensor] = {}
    for name in sorted(set(index.values())):
        if Path(name).name != name or name in ("", ".", "..") or "\\" in name:
            raise RecipeError(
                f"{INDEX} names the file {name!r}, which is not in its folder.",
                "Do not use these weights unless you know who made them.",
            )
        if not os.path.exists(folder / name):  # False too for a name that no file can have
            raise RecipeError(f"{INDEX} names the file {name!r}, which is missing.", "Get it too.")
        for tensor, stored in read_header(folder / name).items():
            if index.get(tensor) != name:
                raise RecipeError(
                    f"{name!r} holds {tensor!r}, which {INDEX} does not place there.",
                    "Get the folder again, all files from one revision.",
                )
            found[tensor] = stored
    missing = sorted(set(index) - set(found))
    if missing:
        raise RecipeError(
            f"{INDEX} places {missing[0]!r} in {index[missing[0]]!r}, which does not hold it.",
            "Get the folder again, all files from one revision.",
        )
    return found
