"""Names that tensors had in files of earlier years."""

from collections.abc import Collection, Mapping
from typing import TypeVar

T = TypeVar("T")

# Endings as they were, and as they are.
_ENDINGS = {
    "LayerNorm.gamma": "LayerNorm.weight",
    "LayerNorm.beta": "LayerNorm.bias",
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}


def under_todays_names(tensors: Mapping[str, T], wanted: Collection[str]) -> dict[str, T]:
    """Rename tensors that a model wants under another name: endings, and the body saved alone.

    GPT-2's file has `wte.weight`, as it was saved without its head, where the model with the head
    has `transformer.wte.weight`. What is wanted by no such name stays as it is.

    Args:
        tensors: Tensors by the names in the file.
        wanted: Names that the model takes.

    Example:
        >>> under_todays_names({"wte.weight": 1, "x": 2}, {"transformer.wte.weight"})
        {'transformer.wte.weight': 1, 'x': 2}
    """
    wanted = set(wanted)
    bodies = {name.partition(".")[0] for name in wanted}
    return {_today(name, tensors, wanted, bodies): tensor for name, tensor in tensors.items()}


def _today(name: str, tensors: Collection[str], wanted: set[str], bodies: set[str]) -> str:
    if name in wanted:
        return name
    names = [name]
    for old, new in _ENDINGS.items():
        if name.endswith(old):
            names.append(name.removesuffix(old) + new)
    names += [f"{body}.{each}" for body in bodies for each in names]
    found = [each for each in names if each in wanted and each not in tensors]
    return found[0] if len(found) == 1 else name
