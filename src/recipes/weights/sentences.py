"""Folders of sentence encoders: `modules.json` says how tokens become one vector of a text.

References:
    Reimers and Gurevych, Sentence-BERT, 2019, arXiv:1908.10084.
"""

import json
from pathlib import Path
from typing import Any

from blocks import MeanPool
from blocks.heads import FirstToken, LastToken, PooledHead
from blocks.heads.pooling import Pooler
from recipes.data.files import write_atomically
from recipes.errors import RecipeError
from recipes.weights.folder import read_json

MODULES = "modules.json"
# What the pooling of a folder is called; before version 5.2 there was a switch for each.
_POOLS: dict[str, Pooler] = {"cls": FirstToken(), "mean": MeanPool(), "lasttoken": LastToken()}
_SWITCHES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_lasttoken": "lasttoken",
}


def sentence_head(folder: Path) -> PooledHead | None:
    """Read the head of a sentence encoder; None for a folder of any other model.

    Raises:
        RecipeError: A module or a pooling that is not known.
    """
    found = _read_modules(folder)
    if found is None:
        return None
    kinds, pooling = found
    return PooledHead(pool=_pool(read_json(pooling)), normalize="Normalize" in kinds)


def copy_modules(folder: Path, other: Path) -> None:
    """Copy what makes a folder one of a sentence encoder, if it is one."""
    found = _read_modules(folder)
    if found is None:
        return
    _, pooling = found
    for path in (folder / MODULES, pooling):
        place = other / path.relative_to(folder)
        place.parent.mkdir(exist_ok=True)
        write_atomically(place, path.read_bytes())


def _read_modules(folder: Path) -> tuple[list[str], Path] | None:
    """Kinds of a folder's modules, and the configuration of its pooling."""
    if not (folder / MODULES).exists():
        return None
    try:
        listed = json.loads((folder / MODULES).read_bytes())
        modules = [(module["type"].rpartition(".")[2], module["path"]) for module in listed]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RecipeError(
            f"{MODULES} is not a list of modules, each with a type and a path.", "Get it again."
        ) from error
    kinds = [kind for kind, _ in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise RecipeError(
            f"{MODULES} has the modules {', '.join(kinds)}, which are not supported.",
            "Supported: Transformer, Pooling, and Normalize or not.",
        )
    path = modules[1][1]
    if not isinstance(path, str) or Path(path).name != path:
        raise RecipeError(f"{MODULES} has its Pooling in {path!r}.", "Name a folder beside it.")
    return kinds, folder / path / "config.json"


def _pool(fields: dict[str, Any]) -> Pooler:
    on = [name for name, value in fields.items() if name.startswith("pooling_mode_") and value]
    told = fields.get("pooling_mode", "mean")
    modes = [_SWITCHES.get(name, name) for name in on] or (
        list(map(str, told)) if isinstance(told, list) else [str(told)]
    )
    if len(modes) != 1 or modes[0] not in _POOLS:
        raise RecipeError(
            f"The pooling of the folder is {' and '.join(modes)}, which is not supported.",
            f"Supported: one of {', '.join(_POOLS)}.",
        )
    return _POOLS[modes[0]]
