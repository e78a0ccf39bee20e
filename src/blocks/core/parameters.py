"""Check parameters against a model."""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.core.errors.location import reported
from blocks.core.errors.words import misfit, shown
from blocks.core.surgery import check_model

_KINDS = ("missing", "left over", "misshapen", "misplaced", "no array", "mistyped")
_LISTED = 12


@reported
def check_parameters(model: nn.Module, params: Any, *inputs: Any) -> None:
    """Refuse parameters that are not exactly those of a model.

    `apply` cannot know: it reads the parameters that one call asks for and silently ignores the
    rest, so that weights of four layers run in a model of two, and biases of a checkpoint vanish
    under `use_bias=False`. Check weights of files once, where they are loaded.

    Args:
        model: the model, as a value.
        params: its parameters, as `init` returns them under `"params"`, or their shapes.
        *inputs: arguments of a call, or their shapes as `jax.ShapeDtypeStruct`.

    Raises:
        TypeError: a model or parameters in the wrong place, or what are no parameters at all.
        ValueError: names parameters that are missing, left over, of another shape or no arrays of
            floats, and arrays and dicts in each other's place.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP
        >>> from blocks.core.parameters import check_parameters
        >>> x = jnp.ones((1, 2, 8))
        >>> params = MLP(hidden=4).init(jax.random.key(0), x)["params"]
        >>> check_parameters(MLP(hidden=4), params, x)
        >>> check_parameters(MLP(hidden=4, use_bias=False), params, x)
        Traceback (most recent call last):
        ...
        ValueError: ...

        ```
    """
    check_model(model, "check_parameters")
    _check_tree(params, inputs)
    wanted = parameter_shapes(model, *inputs)
    if "params" in params and "params" not in wanted:
        raise TypeError(
            misfit(
                "argument `params` of check_parameters does not fit",
                f"the parameters, {_names(wanted)}",
                f"variables, with the collections {_names(params)}",
                'pass one collection, variables["params"]',
            )
        )
    refuse_other(f"the parameters are not those of this {type(model).__name__}", wanted, params)


def parameter_shapes(model: nn.Module, *inputs: Any) -> Any:
    """Return the shapes of the parameters that `init` makes for these inputs.

    To load, check and save a model each ask for them, and tracing a deep model takes seconds: equal
    models called on the same shapes are traced once.
    """
    leaves, tree = jax.tree.flatten(inputs)
    try:
        arrays = tuple((tuple(leaf.shape), leaf.dtype) for leaf in leaves)
        key = model, tree, arrays, jax.config.read("jax_enable_x64")
        hash(key)
    except (AttributeError, TypeError):  # an input that is not an array, or a field without a hash
        return _traced(model, inputs)
    return jax.tree.map(lambda shape: shape, _kept(*key))  # the caller's own


@functools.lru_cache(maxsize=16)
def _kept(model: nn.Module, tree: Any, arrays: tuple[Any, ...], _: bool) -> Any:
    return _traced(model, tree.unflatten([jax.ShapeDtypeStruct(*array) for array in arrays]))


def _traced(model: nn.Module, inputs: tuple[Any, ...]) -> Any:
    return jax.eval_shape(model.init, jax.random.key(0), *inputs).get("params", {})


def refuse_other(what: str, wanted: Any, given: Any, owner: str = "the model") -> None:
    """Refuse parameters that have other names or shapes than those of their `owner`.

    Raises:
        ValueError: starts with `what`, and lists the differences.
    """
    found = [*_compared(nn.meta.unbox(wanted), nn.meta.unbox(given), owner)]
    if not found:
        return
    found.sort(key=lambda difference: _KINDS.index(difference.kind))
    lines = [f"{difference.kind + ':':<12}{difference.said}" for difference in found]
    rest = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    fix = _layout(found)
    fixes = [] if fix is None else [f"fix:        {fix}"]
    raise ValueError("\n  ".join([what, *lines[:_LISTED], *rest, *fixes]))


class _Difference(NamedTuple):
    """A difference between parameters: its kind, the path, and what is said of it."""

    kind: str
    path: str
    said: str


def _check_tree(params: Any, inputs: tuple[Any, ...]) -> None:
    """Refuse what is no tree of parameters."""
    if isinstance(params, Mapping):
        return
    fix = 'they are in the variables that init returned: variables["params"]'
    if any(isinstance(value, Mapping) for value in inputs):
        fix = "they are swapped: check_parameters(model, params, *inputs)"
    what = "argument `params` of check_parameters does not fit"
    raise TypeError(misfit(what, "a dict of parameters", shown(params), fix))


def _compared(wanted: Any, given: Any, owner: str, path: str = "") -> Iterator[_Difference]:
    """Compare two trees, name by name."""
    if not isinstance(wanted, Mapping):
        kind, said = _differing(wanted, given, owner)
        if kind:
            yield _Difference(kind, path, f"{path} {said}")
    elif not isinstance(given, Mapping):
        said = f"{path} is {_seen(given)}, where {owner} has a dict of {_names(wanted)}"
        yield _Difference("misplaced", path, said)
    else:
        for name in sorted({*wanted, *given}, key=str):
            below = f"{path}/{name}" if path else str(name)
            if name in wanted and name in given:
                yield from _compared(wanted[name], given[name], owner, below)
            else:
                kind = "missing" if name in wanted else "left over"
                tree = wanted[name] if name in wanted else given[name]
                yield from (
                    _Difference(kind, at, f"{at} {said}") for at, said in _leaves(tree, below)
                )


def _differing(wanted: Any, given: Any, owner: str) -> tuple[str, str]:
    """Say how a leaf differs from the parameter wanted; empty where it does not."""
    has = f"where {owner} has {tuple(wanted.shape)}"
    if isinstance(given, Mapping):
        return "misplaced", f"is a dict of {_names(given)}, {has}"
    if not hasattr(given, "shape") or not hasattr(given, "dtype"):
        return "no array", f"is {_seen(given)}, {has}; give an array, as jnp.asarray(...)"
    if tuple(given.shape) != tuple(wanted.shape):
        return "misshapen", f"{tuple(given.shape)}, {has}"
    if jnp.issubdtype(wanted.dtype, jnp.inexact) and not jnp.issubdtype(given.dtype, jnp.inexact):
        return "mistyped", f"is of {given.dtype}, where {owner} has {wanted.dtype}"
    return "", ""


def _leaves(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, Mapping):
        for name in sorted(tree, key=str):
            yield from _leaves(tree[name], f"{path}/{name}")
    else:
        yield path, str(tuple(tree.shape)) if hasattr(tree, "shape") else _seen(tree)


def _seen(value: Any) -> str:
    """Format a value; of a list, which may hold arrays, the type alone."""
    return f"a {type(value).__name__}" if isinstance(value, (list, tuple)) else shown(value)


def _names(tree: Mapping[Any, Any]) -> str:
    return ", ".join(sorted(map(str, tree))) or "nothing"


def _layout(found: list[_Difference]) -> str | None:
    """Suggest converting between the two layouts of a stack, if that is the difference."""
    loop, scan = re.compile(r"(^|/)layer_\d+/"), re.compile(r"(^|/)layers(_\d+)?/")
    missing = [difference.path for difference in found if difference.kind == "missing"]
    left = [difference.path for difference in found if difference.kind == "left over"]
    if any(map(scan.search, missing)) and any(map(loop.search, left)):
        return "they are a loop's, and the stack is a scan: stack_layers(params of the stack)"
    if any(map(loop.search, missing)) and any(map(scan.search, left)):
        return "they are a scan's, and the stack is a loop: unstack_layers(params of the stack)"
    return None
