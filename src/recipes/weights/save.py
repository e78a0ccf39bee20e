"""Saving of models in the form that they are published in."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from blocks import check_parameters
from recipes.data.files import write_atomically
from recipes.data.safetensors import write
from recipes.errors import RecipeError
from recipes.weights.folder import CONFIG, INDEX, WEIGHTS, read_json
from recipes.weights.load import model_in
from recipes.weights.parameters import write_tensors
from recipes.weights.rules import sources_of
from recipes.weights.sentences import copy_modules
from recipes.weights.tokenizer import PublishedTokenizer

# What a scan's layers are called, which are one array for all.
_SCANNED = re.compile(r"(^|/)layers(_\d+)?/")


def save(
    folder: str | Path,
    params: Any,
    *,
    config: dict[str, Any] | str | Path,
    tokenizer: PublishedTokenizer | None = None,
) -> None:
    """Write parameters as published weights, with their configuration.

    Args:
        folder: Folder that is written; a missing one is made.
        params: Parameters of the model that the configuration describes.
        config: The configuration, or a folder that has it, such as the one that was loaded.
        tokenizer: The tokenizer that belongs to it.

    Raises:
        RecipeError: Parameters of another model, or a folder that has weights or a
            configuration already.
    """
    folder = Path(folder)
    fields = config if isinstance(config, dict) else read_json(Path(config) / CONFIG)
    taken = [name for name in (WEIGHTS, INDEX, CONFIG) if (folder / name).exists()]
    if taken:
        raise RecipeError(f"{str(folder)!r} has {taken[0]} already.", "Give another folder.")
    source = None if isinstance(config, dict) else Path(config)
    model, family, read = model_in(source, fields)
    names = family.names(read)
    flat: dict[str, Any] = flatten_dict(params, sep="/")
    # A model that shares layers calls them so too, and its table has those names.
    if any(_SCANNED.search(p) and not sources_of(names, p, np.shape(x)) for p, x in flat.items()):
        model, _, _ = model_in(source, fields, scan=True)
    try:
        check_parameters(model, params, *family.inputs(read))
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"{error}.", "Give the parameters of the model that the configuration describes."
        ) from error
    tensors = write_tensors(params, names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / WEIGHTS, tensors)
        write_atomically(folder / CONFIG, (json.dumps(fields, indent=2) + "\n").encode())
        if source is not None:
            copy_modules(source, folder)
        if tokenizer is not None:
            tokenizer.save(folder)
    except OSError as error:
        raise RecipeError(
            f"{str(folder)!r} cannot be written: {error.strerror}.", "Give another folder."
        ) from error
