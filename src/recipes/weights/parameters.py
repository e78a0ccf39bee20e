"""Parameters of a model, read from tensors of a reference by a table of names, and back."""

import fnmatch
import itertools
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from recipes.data.safetensors import ReadableTensor
from recipes.errors import RecipeError
from recipes.weights.families import Family
from recipes.weights.older import under_todays_names
from recipes.weights.rules import Names, Shape, Source, sources_of

# Lines of a report for each kind of mistake; the rest is counted.
_LINES = 8


def read_parameters(
    shapes: Any,
    names: Names,
    tensors: Mapping[str, ReadableTensor],
    family: Family,
    place: Callable[[np.ndarray], jax.Array],
    dtype: Any = None,
) -> dict[str, Any]:
    """Read the parameters of a model, one tensor at a time.

    Args:
        shapes: Shapes of the parameters, as `jax.eval_shape` gives them.
        names: Our names and the reference's.
        tensors: The tensors.
        family: Says which tensors may be there besides.
        place: Makes a JAX array of a parameter.
        dtype: Dtype of the parameters; None for each tensor's own.

    Raises:
        RecipeError: Lists tensors that are missing, left over or misshapen, with both names.
    """
    flat = _flat(shapes)
    table = {path: list(_pieces(names, flat, path)) for path in flat}
    wanted = {source.rule.name for pieces in table.values() for _, source in pieces}
    tensors = under_todays_names(tensors, wanted)
    _check(flat, table, tensors, family)
    takers: dict[str, list[tuple[str, Any, Source]]] = {}
    for path, pieces in table.items():
        for index, source in pieces:
            takers.setdefault(source.rule.name, []).append((path, index, source))
    awaited = {path: len(pieces) for path, pieces in table.items()}
    begun: dict[str, np.ndarray] = {}
    made: dict[str, jax.Array] = {}
    for name, places in takers.items():
        tensor = tensors[name].read()
        if dtype is not None:
            tensor = tensor.astype(dtype, copy=False)
        for path, index, source in places:
            array = source.take(tensor)
            if index is not None:
                begun.setdefault(path, np.empty(flat[path].shape, tensor.dtype))[index] = array
                array = begun[path]
            awaited[path] -= 1
            if not awaited[path]:
                made[path] = place(array)
                begun.pop(path, None)
    return unflatten_dict(made, sep="/")


def write_tensors(params: Any, names: Names) -> dict[str, np.ndarray]:
    """Make the reference's tensors of the parameters of a model: the inverse of reading.

    Raises:
        RecipeError: A parameter that the table does not name, or a tensor of which no parameter
            holds a part.
    """
    flat = {path: np.asarray(leaf) for path, leaf in _flat(params).items()}
    tensors: dict[str, np.ndarray] = {}
    written: dict[str, int] = {}
    for path, array in flat.items():
        pieces = list(_pieces(names, flat, path))
        if not pieces:
            raise RecipeError(f"{path} has no name in the reference.", "Add it to the table.")
        for index, source in pieces:
            name = source.rule.name
            if name not in tensors:
                tensors[name] = np.empty(source.stored, array.dtype)
            source.put(array if index is None else array[index], tensors[name])
            written[name] = written.get(name, 0) + math.prod(source.shape)
    for name, tensor in tensors.items():
        if written[name] != tensor.size:
            raise RecipeError(
                f"{name} has {tensor.size} numbers, and parameters hold {written[name]} of them.",
                "Name all parts of the tensor in the table.",
            )
    return dict(sorted(tensors.items()))


def _pieces(
    names: Names, flat: Mapping[str, Any], path: str
) -> Iterator[tuple[int | slice | tuple[int, int] | None, Source]]:
    """Yield what a parameter is made of, each with its index in the parameter's first axes."""
    shape = tuple(flat[path].shape)
    found = sources_of(names, path, shape)
    if found is not None:
        for index, source in enumerate(found):
            whole = len(found) == 1 and source.shape == shape
            yield (None if whole else index if source.place is None else source.place), source
        return
    for repeat, layer in enumerate(_layers(flat, path, shape)):
        for index, source in enumerate(sources_of(names, layer, shape[1:]) or ()):
            whole = source.shape == shape[1:]
            yield (repeat if whole else (repeat, index)), source


def _layers(flat: Mapping[str, Any], path: str, shape: Shape) -> Iterator[str]:
    """Yield the paths in a loop's layout of what a scan has in one array, by `stack_layers`."""
    match = re.search(r"(^|.*?/)layers(?:_(\d+))?/", path)
    if match is None or not shape:
        return
    start, place = match[1], int(match[2] or 0)
    pattern = re.compile(re.escape(start) + r"layers(_\d+)?/")
    period = len({found[0] for other in flat if (found := pattern.match(other))})
    for repeat in range(shape[0]):
        yield f"{start}layer_{repeat * period + place}/{path[match.end() :]}"


def _check(
    flat: Mapping[str, Any],
    table: Mapping[str, list[tuple[Any, Source]]],
    tensors: Mapping[str, ReadableTensor],
    family: Family,
) -> None:
    lines, used, aside = [], set(), []
    for path, pieces in table.items():
        if not pieces:
            lines.append(f"unnamed:    {path} {flat[path].shape}, which the table does not have")
        for _, source in pieces:
            name = source.rule.name
            used.add(name)
            if name not in tensors:
                lines.append(f"missing:    {name} {source.stored}, for {path}")
            elif tensors[name].shape != source.stored:
                lines.append(
                    f"misshapen:  {name} {tensors[name].shape}, where {path} takes {source.stored}"
                )
    for name in sorted(set(tensors) - used):
        first = family.tied.get(name)
        if first is not None and first in tensors:
            if _equal(tensors[name], tensors[first]):
                continue
            lines.append(f"untied:     {name}, which differs from {first}, and the model ties them")
        elif _matches(name, family.aside):
            aside.append(name)
        elif not _matches(name, family.buffers):
            lines.append(f"left over:  {name} {tensors[name].shape}, which no parameter takes")
    if lines:
        shown = []
        kinds = itertools.groupby(sorted(dict.fromkeys(lines), key=_kind), key=_kind)
        for kind, same in ((kind, list(same)) for kind, same in kinds):
            rest = [f"and {len(same) - _LINES} more {kind}"] * (len(same) > _LINES)
            shown += same[:_LINES] + rest
        raise RecipeError(
            "The weights are not those of the model:\n  " + "\n  ".join(shown) + "\n",
            "Take config.json and weights from one place, as one `save_pretrained` wrote them.",
        )
    if aside:
        warnings.warn(
            f"left aside, as they are of heads that this model does not have: {', '.join(aside)}",
            stacklevel=4,
        )


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _kind(line: str) -> str:
    return line.partition(":")[0]


def _equal(one: ReadableTensor, other: ReadableTensor) -> bool:
    """Whether two tensors are the same to the bit."""
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    first, second = (tensor.read().reshape(-1).view(np.uint8) for tensor in (one, other))
    return np.array_equal(first, second)


def _flat(tree: Any) -> dict[str, Any]:
    return flatten_dict(tree, sep="/")
