"""`summary`: parameters, work and memory of a model, part by part, from shapes alone."""

import contextlib
import dataclasses
import inspect
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax

from blocks.context import Context
from blocks.core.block import Block, fresh
from blocks.core.errors.location import reported
from blocks.core.surgery import check_model, find, replace
from blocks.introspection.work import Path, merged, work_of
from blocks.layers.stack import Stack


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of one part of a model, including the parts in it.

    Attributes:
        path: path of the part in the model, such as `stack.layers.mlp`; empty for the model.
        block: name of its class.
        parameters: number of parameters.
        own_parameters: number of parameters outside of the parts in it.
        flops: operations of its matrix products for one token, forward.
        cache_bytes: bytes that one more token takes in its caches.
    """

    path: str
    block: str
    parameters: int
    own_parameters: int
    flops: float
    cache_bytes: int


@dataclasses.dataclass(frozen=True)
class Summary:
    """Costs of a model's parts: prints as a table, iterates, and is indexed by path.

    Attributes:
        parts: all parts that have a cost, in the order in which they run, each before those in it.
            Layers of a `Stack` are one part, `layers`, or one for each block of its pattern.
    """

    parts: tuple[Cost, ...]

    def __iter__(self) -> Iterator[Cost]:
        return iter(self.parts)

    def __getitem__(self, path: str) -> Cost:
        for part in self.parts:
            if part.path == path:
                return part
        raise KeyError(f"{path!r} is no part; there are {', '.join(p.path for p in self.parts)}.")

    def __str__(self) -> str:
        rows = [["part", "block", "parameters", "FLOPs/token", "cache bytes/token"]]
        for part in self.parts:
            name = "  " * part.path.count(".") + part.path.rpartition(".")[2] or "model"
            name = name if part.path == "" else f"  {name}"
            costs = (part.parameters, part.flops, part.cache_bytes)
            rows.append([name, part.block, *(f"{cost:,.0f}" for cost in costs)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if place < 2 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )


@reported
def summary(model: nn.Module, *inputs: Any) -> Summary:
    """Count parameters, work and memory of every part, without computing or allocating anything.

    Work is that of matrix products and convolutions, two operations for every multiplication and
    addition, in one forward pass over `inputs`, per token. That of attention grows with the length
    of `inputs`. Hidden pairs of query and key are counted, experts that are not chosen are not.

    Memory is what one further token after `inputs` takes in the caches: nothing once the cache of a
    window is full.

    Args:
        model: a block.
        inputs: arguments of its call: arrays, or shapes as `jax.ShapeDtypeStruct((1, 1024), int)`;
            the first is batch x seq.

    Raises:
        TypeError: a model that is not a block, or a shape alone as an input.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP, summary
        >>> print(summary(MLP(hidden=32), jnp.ones((1, 5, 8))))
        part    block   parameters  FLOPs/token  cache bytes/token
        model   MLP            552        1,024                  0
          up    Linear         288          512                  0
          down  Linear         264          512                  0

        ```
    """
    check_model(model, "summary")
    for given in inputs:
        if isinstance(given, (tuple, list)) and all(isinstance(size, int) for size in given):
            raise TypeError(
                f"{given} is a shape without a dtype; write jax.ShapeDtypeStruct({tuple(given)}, "
                "jnp.float32), or jnp.int32 for token ids."
            )
    # Raised for layers that cannot be scanned; any other mistake is raised again below.
    with contextlib.suppress(TypeError, ValueError):
        return _summary(_scanned(model), inputs)
    return _summary(model, inputs)


def _scanned(model: nn.Module) -> nn.Module:
    """Turn stacks into scans, which are traced in the time of one layer."""

    def scanned(stack: Stack) -> Stack:
        pattern = len(stack.block) if isinstance(stack.block, tuple) else 1
        return stack if stack.depth % pattern else fresh(stack, scan=True)

    return replace(model, Stack, scanned) if find(model, Stack) else model


def _summary(model: nn.Module, inputs: tuple[Any, ...]) -> Summary:
    key = jax.random.key(0)
    variables = jax.eval_shape(model.init, key, *inputs)
    work, modules = work_of(model.apply, variables, *inputs)
    tokens = math.prod(inputs[0].shape[:2])
    costs = {
        "parameters": _sizes(variables.get("params", {}), lambda leaf: leaf.size),
        "flops": Counter({path: float(flops / tokens) for path, flops in work.items() if flops}),
        "cache_bytes": _cache_bytes(model, key, inputs),
    }
    totals: dict[Path, Counter[str]] = {}
    own: Counter[Path] = Counter()
    names = {merged(path, modules): type(part).__name__ for path, part in modules.items()}
    for kind, cost in costs.items():
        for path, amount in cost.items():
            whole = merged(path, modules)
            own[whole] += amount if kind == "parameters" else 0
            for end in range(len(whole) + 1):
                totals.setdefault(whole[:end], Counter())[kind] += amount
    parts = []
    for path in (path for path in names if path in totals):
        amounts = {kind: totals[path][kind] for kind in costs}
        parts.append(Cost(".".join(path), names[path], own_parameters=own[path], **amounts))
    return Summary(tuple(parts))


def _sizes(collection: Any, size: Callable[[Any], int]) -> Counter[Path]:
    """Sum over the arrays of every part, by path."""
    sizes: Counter[Path] = Counter()
    for path, leaf in jax.tree_util.tree_leaves_with_path(collection):
        names = [key.key for key in path if isinstance(key, jax.tree_util.DictKey)]
        sizes[tuple(names[:-1])] += size(leaf)
    return sizes


def _cache_bytes(model: nn.Module, key: Any, inputs: tuple[Any, ...]) -> Counter[Path]:
    """Growth of each part's cache with room for one more token, per sequence."""
    takes_context = "context" in inspect.signature(model.__call__).parameters
    if not takes_context or any(part.sees_ahead for part in find(model, Block).values()):
        return Counter()
    context = next((x for x in inputs if isinstance(x, Context)), Context())
    arrays = tuple(x for x in inputs if not isinstance(x, Context))
    batch, seq = arrays[0].shape[:2]

    def bytes_with(cache_size: int) -> Counter[Path]:
        given = context.replace(cache_size=cache_size)
        made = jax.eval_shape(
            lambda key, *arrays: model.init(key, *arrays, context=given).get("cache", {}),
            key,
            *arrays,
        )
        return _sizes(made, lambda leaf: leaf.size * leaf.dtype.itemsize)

    try:
        larger = bytes_with(seq + 1)
        larger.subtract(bytes_with(seq))
    except ValueError:  # raised by blocks without a cache; other mistakes were raised above
        return Counter()
    return Counter({path: amount // batch for path, amount in larger.items()})
