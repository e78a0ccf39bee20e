"""The families of published models: their values, and a tree of what tells them apart.

A row is a tiny configuration of a family that the tests hold to the reference; most families have
one. A family's file is the module of `recipes.architectures` that registers it.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import flax.linen as nn
import numpy as np

import recipes.architectures
from blocks import diff
from recipes.weights.families import registered
from recipes.weights.load import model_of

# Sizes, which differ between any two models.
SIZES = {
    "vocab_size", "features", "hidden", "num_heads", "num_kv_heads", "num_key_heads", "head_dim",
    "value_dim", "rope_dim", "kv_rank", "q_rank", "depth", "epsilon", "max_length", "theta",
    "num_experts", "top_k", "num_groups", "top_groups", "dropout_rate", "window", "size",
}  # fmt: skip
# A tree for each kind of model, as those of different kinds have no parts to compare, and what it
# begins with: else with the first by name.
ROOTS = {"CausalLM": "gpt2", "Encoder": "bert", "EncoderDecoder": "bart"}
FOLDER = "architectures"


def macros(root: Path) -> dict[str, Callable[..., str]]:
    """The functions of the page of published models."""
    return {"family_tree": functools.partial(family_tree, root), "family_table": family_table}


def family_table() -> str:
    """A row for each family: its page, its first sentence, and what it is registered for."""
    rows = ["| family | what it is | answers to |", "| --- | --- | --- |"]
    for home in homes():
        kinds = ", ".join(f"`{kind}`" for kind in home.kinds)
        said = home.said.partition("\n\n")[0]
        rows.append(f"| [{home.title}]({FOLDER}/{home.name}.md) | {said} | {kinds} |")
    return "\n".join(rows)


def family_tree(root: Path) -> str:
    """The trees: each row below its nearest relative, with what tells the two apart."""
    models, parents = models_of(root), parents_of(root)

    def lines(name: str, level: int) -> list[str]:
        told = f": {_changes(models[parents[name]], models[name])}" if name in parents else ""
        link = f"[{name}]({FOLDER}/{home_of(root, name).name}.md#{name})"
        below = [line for child in children_of(root, name) for line in lines(child, level + 1)]
        return [f"{'    ' * level}- {link}{told}", *below]

    tree = "\n".join(line for name in roots_of(root).values() for line in lines(name, 0))
    return f'<div class="tree" markdown="1">\n\n{tree}\n\n</div>'


@dataclass(frozen=True)
class Home:
    """A module that registers a family, or kin of one; its file is named as the family's page.

    Attributes:
        name: the file's name.
        module: the module.
        kinds: what it registers, of `model_type` or `architectures`.
    """

    name: str
    module: ModuleType
    kinds: tuple[str, ...]

    @property
    def title(self) -> str:
        """The family's name, with which its docstring begins."""
        return (self.module.__doc__ or "").partition(":")[0]

    @property
    def said(self) -> str:
        """What the family is: its docstring after the name, up to the references."""
        text = (self.module.__doc__ or "").partition("References:")[0].partition(": ")[2].strip()
        return text[:1].upper() + text[1:]


@functools.cache
def homes() -> tuple[Home, ...]:
    """All families of the library, by the names of their files."""
    package, known = recipes.architectures.__name__, registered()
    return tuple(
        Home(
            name.rpartition(".")[2],
            importlib.import_module(name),
            tuple(sorted(kind for kind, module in known.items() if module == name)),
        )
        for name in sorted(set(known.values()))
        if name.startswith(f"{package}.")
    )


def home_of(root: Path, name: str) -> Home:
    """The family of a row: of the first architecture that one is registered for, or of its type."""
    config = config_of(root, name)
    asked = (*config.get("architectures", ()), config["model_type"])
    return next(home for kind in asked for home in homes() if kind in home.kinds)


def models_of(root: Path) -> Mapping[str, Any]:
    """Each row's model, as a value."""
    return {name: _model(root, name) for name in _rows(root)}


@functools.cache
def config_of(root: Path, name: str) -> dict[str, Any]:
    """A row's configuration."""
    with np.load(root / "tests/recipes/architectures/golden" / f"{name}.npz") as stored:
        return json.loads(str(stored["config"]))


@functools.cache
def roots_of(root: Path) -> Mapping[str, str]:
    """What the tree of each kind of model begins with."""
    first: dict[str, str] = {}
    for name, model in models_of(root).items():
        first.setdefault(type(model).__name__, name)
    return {**ROOTS, **{kind: name for kind, name in first.items() if kind not in ROOTS}}


@functools.cache
def parents_of(root: Path) -> Mapping[str, str]:
    """The nearest relative of each row: the trees with the fewest differences in all."""
    models, roots = models_of(root), roots_of(root)
    nearest = {}
    for name, model in models.items():
        start = roots[type(model).__name__]
        nearest[name] = (_distance(models[start], model), start)
    parents: dict[str, str] = {}
    waiting = set(models) - set(roots.values())
    while waiting:
        name = min(waiting, key=lambda name: (nearest[name][0], name))
        waiting.discard(name)
        parents[name] = nearest[name][1]
        for other in waiting:
            if type(models[other]) is type(models[name]):
                distance = _distance(models[name], models[other])
                nearest[other] = min(nearest[other], (distance, name))
    return parents


def children_of(root: Path, name: str) -> list[str]:
    """The rows that stand right below one."""
    return [child for child, parent in parents_of(root).items() if parent == name]


def told(before: Any, after: Any) -> list[Any]:
    """What tells two models apart, sizes aside."""
    return [
        change for change in diff(before, after) if change.paths[0].rpartition(".")[2] not in SIZES
    ]


@functools.cache
def _rows(root: Path) -> list[str]:
    return sorted(file.stem for file in (root / "tests/recipes/architectures/golden").glob("*.npz"))


@functools.cache
def _model(root: Path, name: str) -> Any:
    return model_of(config_of(root, name))[0]


def _distance(before: Any, after: Any) -> int:
    """Number of differences; a part of another kind counts as three."""
    return sum(
        3 if isinstance(change.before, nn.Module) and isinstance(change.after, nn.Module) else 1
        for change in told(before, after)
    )


def _changes(before: Any, after: Any) -> str:
    """What tells two models apart, in a line: the first few changes."""
    changes = [
        f"`{change.paths[0].removeprefix('stack.block.')}` {change}"
        for change in told(before, after)
    ]
    shown = [text.replace(" -> ", " → ") for text in changes[:4]]
    more = f", and {len(changes) - 4} more" if len(changes) > 4 else ""
    return (", ".join(shown) + more) or "other sizes"
