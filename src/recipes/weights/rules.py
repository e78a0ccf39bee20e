"""Rules by which tensors of a reference become parameters of ours, and back."""

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

Shape: TypeAlias = tuple[int, ...]

_PLACE = re.compile(r"\{(\w+)\}")
# What the leaves of our blocks are called in PyTorch's modules.
_SUFFIXES = {"kernel": "weight", "scale": "weight", "embedding": "weight", "bias": "bias"}


@dataclass(frozen=True)
class Tensor:
    """A parameter that is one tensor.

    Attributes:
        name: Name of the tensor, or of its module, with the numbers of the parameter's path in
            braces: `model.layers.{i}.mlp.up_proj`.
        axes: Order in which the tensor's axes become ours; None transposes matrices of weights,
            which PyTorch keeps as outputs by inputs, and leaves all else. Axes of heads and their
            features are split after that.
        shape: Shape of the tensor, where it has axes of size 1 that our parameter lacks.
    """

    name: str
    axes: tuple[int, ...] | None = None
    shape: Shape | None = None


@dataclass(frozen=True)
class Part(Tensor):
    """A parameter that is a part of a fused tensor, along its outputs.

    Attributes:
        index: Which of the parts.
        sizes: Sizes of all parts, within a group.
        groups: Number of times that the parts follow one another: 1 for one whole part after the
            other, the number of heads where each head has its parts side by side.
        lead: Number of first axes of a bias that are not outputs, such as 1 for experts.
    """

    index: int = 0
    sizes: tuple[int, ...] = ()
    groups: int = 1
    lead: int = 0


@dataclass(frozen=True)
class Each:
    """A parameter whose first axis numbers tensors, as that of experts.

    Attributes:
        rule: The rule for one of them; `{e}` in its name is the number.
    """

    rule: Tensor


@dataclass(frozen=True)
class Rows(Tensor):
    """A parameter that is a part of a table's rows, whatever axes it has them in.

    Attributes:
        start: Number of rows before it.
    """

    start: int = 0


@dataclass(frozen=True)
class Joined:
    """A parameter whose first axis has several tensors, one after the other.

    Attributes:
        rules: The rule for each.
        sizes: Size of each along the axis.
    """

    rules: tuple[Tensor, ...]
    sizes: tuple[int, ...]


Rule: TypeAlias = Tensor | Each | Joined
# Our names, such as `stack/layer_{i}/mlp/up`, each with what the reference calls it.
Names: TypeAlias = Mapping[str, "str | Rule"]


def within(names: Names, ours: str, theirs: str) -> Names:
    """Name the weights of a model that is a part of another.

    Args:
        names: The names of the model alone.
        ours: What the part is called by us, such as `encoder`.
        theirs: What the reference puts before its names, such as `encoder.`.
    """
    return {f"{ours}/{name}": _renamed(rule, theirs) for name, rule in names.items()}


def _renamed(rule: str | Rule, start: str) -> str | Rule:
    if isinstance(rule, str):
        return start + rule
    if isinstance(rule, Each):
        return Each(_renamed_tensor(rule.rule, start))
    if isinstance(rule, Joined):
        return replace(rule, rules=tuple(_renamed_tensor(each, start) for each in rule.rules))
    return _renamed_tensor(rule, start)


def _renamed_tensor(rule: Tensor, start: str) -> Tensor:
    return replace(rule, name=start + rule.name)


@dataclass(frozen=True)
class Source:
    """Where one array comes from: a tensor, or a part of it, in an order of axes.

    Attributes:
        rule: The rule, with the tensor's full name.
        shape: Shape of the array.
        inputs: Number of the array's axes that are inputs of a linear map; 0 if it is none.
        lead: Number of axes before those that are one axis in a bias; None if it is none.
        place: Where in the parameter's first axis it goes, if it is one of several of any size.
    """

    rule: Tensor
    shape: Shape
    inputs: int = 0
    lead: int | None = None
    place: slice | None = None

    @property
    def stored(self) -> Shape:
        """Shape of the tensor."""
        shape, rule = self.shape, self.rule
        if rule.shape is not None:
            return rule.shape
        if self.inputs:
            shape = math.prod(shape[: self.inputs]), math.prod(shape[self.inputs :])
        elif self.lead is not None:
            shape = *shape[: self.lead], math.prod(shape[self.lead :])
        if isinstance(rule, Part):
            shape = *shape[:-1], rule.groups * sum(rule.sizes)
        axes = self._axes(len(shape))
        return tuple(shape[axes.index(axis)] for axis in range(len(shape)))

    def _axes(self, rank: int) -> tuple[int, ...]:
        if self.rule.axes is not None and len(self.rule.axes) == rank:
            return self.rule.axes
        return (1, 0) if self.inputs and rank == 2 else tuple(range(rank))

    def take(self, tensor: np.ndarray) -> np.ndarray:
        """Make the array of the tensor."""
        return self._view(tensor).reshape(self.shape)

    def put(self, array: np.ndarray, tensor: np.ndarray) -> None:
        """Write the array to its place in the tensor: the inverse of `take`."""
        view = self._view(tensor)
        view[...] = array.reshape(view.shape)

    def _view(self, tensor: np.ndarray) -> np.ndarray:
        """The array's place in the tensor, with axes in the array's order."""
        rule = self.rule
        if isinstance(rule, Rows):
            rows = tensor.reshape(-1, tensor.shape[-1])
            return rows[rule.start : rule.start + math.prod(self.shape[:-1])]
        turned = tensor.transpose(self._axes(tensor.ndim))
        if not isinstance(rule, Part):
            return turned
        # `reshape` would copy where axes were turned; a split of the last axis never has to.
        group, (*strides, step) = sum(rule.sizes), turned.strides
        grouped = np.lib.stride_tricks.as_strided(
            turned, (*turned.shape[:-1], rule.groups, group), (*strides, step * group, step)
        )
        start = sum(rule.sizes[: rule.index])
        return grouped[..., start : start + rule.sizes[rule.index]]


def sources_of(names: Names, path: str, shape: Shape) -> list[Source] | None:
    """Find what a parameter is made of: one source, or one for each of its first axis.

    Of several keys that match, the most literal one counts: a layer's own before that of all.

    Args:
        names: The table.
        path: Path of the parameter.
        shape: Its shape.

    Returns:
        The sources; None if the table does not have the path.
    """
    matches = [(key, match) for key in names if (match := _pattern(key).fullmatch(path))]
    if not matches:
        return None
    key, match = max(matches, key=lambda found: len(_PLACE.sub("", found[0])))
    rule = names[key]
    numbers = {n: v for n, v in match.groupdict().items() if n != "leaf"}
    leaf = match["leaf"]
    rule = Tensor(rule) if isinstance(rule, str) else rule
    if isinstance(rule, Each):
        return [
            _source(rule.rule, numbers | {"e": str(e)}, leaf, path, shape[1:])
            for e in range(shape[0])
        ]
    if isinstance(rule, Joined):
        ends = [sum(rule.sizes[: index + 1]) for index in range(len(rule.sizes))]
        return [
            replace(
                _source(part, numbers, leaf, path, (size, *shape[1:])), place=slice(end - size, end)
            )
            for part, size, end in zip(rule.rules, rule.sizes, ends, strict=True)
        ]
    return [_source(rule, numbers, leaf, path, shape)]


def _source(rule: Tensor, numbers: dict[str, str], leaf: str, path: str, shape: Shape) -> Source:
    name = _PLACE.sub(lambda place: numbers[place[1]], rule.name)
    if leaf:
        name = f"{name}.{_SUFFIXES.get(leaf, leaf)}"
    *_, module, last = ("", *path.split("/"))
    matrix = rule.axes is None or len(rule.axes) == 2
    inputs = 0
    if last == "kernel" and len(shape) > 1 and matrix:
        # The library's one rule: `out` maps from heads and their features, all else from features.
        inputs = 2 if module == "out" and len(shape) == 3 else 1
    whole = type(rule) is Tensor and rule.axes is not None and len(rule.axes) == len(shape)
    lead = getattr(rule, "lead", 0) if last == "bias" and not whole else None
    return Source(replace(rule, name=name), shape, inputs, lead)


@functools.cache
def _pattern(key: str) -> re.Pattern[str]:
    """A table's key as a pattern: `{i}` is a number, and the leaf may be left out."""
    escaped = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>\\d+)", re.escape(key))
    return re.compile(escaped + r"(?:/(?P<leaf>\w+))?")
