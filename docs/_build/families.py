"""The families of published models: their values, and a tree of what tells them apart."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import numpy as np

from blocks import diff
from recipes.weights.config import Config
from recipes.weights.families import family_of
from recipes.weights.load import model_of

# Sizes, which differ between any two models.
SIZES = {
    "vocab_size", "features", "hidden", "num_heads", "num_kv_heads", "num_key_heads", "head_dim",
    "value_dim", "rope_dim", "kv_rank", "q_rank", "depth", "epsilon", "max_length", "theta",
    "num_experts", "top_k", "num_groups", "top_groups", "dropout_rate", "window", "size",
}  # fmt: skip
ROOT = "gpt2"


def macros(root: Path) -> dict[str, Callable[..., str]]:
    """The functions of the page of published models."""
    return {
        "family_tree": lambda: family_tree(root),
        "family_values": lambda: family_values(root),
    }


def family_tree(root: Path) -> str:
    """The tree: each row below its nearest relative, with what tells the two apart."""
    models, parents = _models(root), _parents(root)
    children: dict[str, list[str]] = {}
    for name, parent in parents.items():
        children.setdefault(parent, []).append(name)

    def lines(name: str, level: int) -> list[str]:
        told = "" if name == ROOT else f": {_changes(models[parents[name]], models[name])}"
        here = [f"{'    ' * level}- [{name}](#{name}){told}"]
        return here + [line for child in children.get(name, []) for line in lines(child, level + 1)]

    return "\n".join(lines(ROOT, 0))


def family_values(root: Path) -> str:
    """A section for each row: its `model_type`, its file, its first sentence, its value."""
    sections = []
    for name, model in _models(root).items():
        config = _config(root, name)
        module = inspect.getmodule(family_of(Config(config)).build)
        assert module is not None
        said = (module.__doc__ or "").splitlines()[0].partition(": ")[2]
        file = Path(importlib.import_module(module.__name__).__file__ or "").name
        value = "\n".join(f"    {line}" for line in f"```python\n{model}\n```".splitlines())
        sections.append(
            f"### {name} {{#{name}}}\n\n{said[:1].upper()}{said[1:]} `model_type` "
            f"`{config['model_type']}`, in `src/recipes/architectures/{file}`.\n\n"
            f'??? note "As a value, at the size of the tests"\n\n{value}\n'
        )
    return "\n".join(sections)


@functools.cache
def _models(root: Path) -> Mapping[str, Any]:
    files = sorted((root / "tests/recipes/architectures/golden").glob("*.npz"))
    return {file.stem: model_of(_config(root, file.stem))[0] for file in files}


@functools.cache
def _config(root: Path, name: str) -> dict[str, Any]:
    with np.load(root / "tests/recipes/architectures/golden" / f"{name}.npz") as stored:
        return json.loads(str(stored["config"]))


@functools.cache
def _parents(root: Path) -> Mapping[str, str]:
    """The nearest relative of each row: the tree with the fewest differences in all."""
    models = _models(root)
    nearest = {name: (_distance(models[ROOT], models[name]), ROOT) for name in models}
    parents: dict[str, str] = {}
    waiting = set(models) - {ROOT}
    while waiting:
        name = min(waiting, key=lambda name: (nearest[name][0], name))
        waiting.discard(name)
        parents[name] = nearest[name][1]
        for other in waiting:
            nearest[other] = min(nearest[other], (_distance(models[name], models[other]), name))
    return parents


def _distance(before: Any, after: Any) -> int:
    """Number of differences; a part of another kind counts as three."""
    return sum(
        3 if isinstance(change.before, nn.Module) and isinstance(change.after, nn.Module) else 1
        for change in _told(before, after)
    )


def _told(before: Any, after: Any) -> list[Any]:
    return [
        change for change in diff(before, after) if change.paths[0].rpartition(".")[2] not in SIZES
    ]


def _changes(before: Any, after: Any) -> str:
    """What tells two models apart, in a line: the first few changes."""
    told = [
        f"`{change.paths[0].removeprefix('stack.block.')}` {change}"
        for change in _told(before, after)
    ]
    shown = [text.replace(" -> ", " → ") for text in told[:4]]
    more = f", and {len(told) - 4} more" if len(told) > 4 else ""
    return (", ".join(shown) + more) or "other sizes"
