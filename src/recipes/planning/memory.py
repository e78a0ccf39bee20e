"""Memory that a step needs beside its arguments, read from the traced program.

A compiler computes a chain of elementwise operations in one loop and never writes what is between
them. It writes the operands of matrix products, their results, and what several loops would have to
compute again. Each of these arrays is held from the operation that writes it to the last that reads
it, and the most that is held at once is the memory that the step needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import Literal

# Operations that are computed element by element, in the loop of those that read them.
FUSED = {
    *("add", "sub", "mul", "div", "neg", "sign", "floor", "ceil", "round", "max", "min", "clamp"),
    *("exp", "exp2", "log", "log1p", "expm1", "tanh", "logistic", "sin", "cos", "erf", "erf_inv"),
    *("rsqrt", "sqrt", "pow", "integer_pow", "square", "abs", "rem", "nextafter", "is_finite"),
    *("and", "or", "not", "xor", "eq", "ne", "lt", "le", "gt", "ge", "select_n", "add_any"),
    *("shift_left", "shift_right_logical", "shift_right_arithmetic", "bitcast_convert_type"),
    *("transpose", "slice", "pad", "rev", "concatenate", "reduce_precision", "copy", "name"),
    *("broadcast_in_dim", "reshape", "iota", "squeeze", "expand_dims", "convert_element_type"),
    *("random_wrap", "random_unwrap", "stop_gradient"),
}
# Those that no second loop computes again.
COSTLY = {
    *("div", "exp", "exp2", "log", "log1p", "expm1", "tanh", "logistic", "sin", "cos", "erf"),
    *("erf_inv", "rsqrt", "sqrt", "pow"),
}
SUMS = ("reduce_", "arg")
# Those that a product reads through.
VIEWS = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims"}
CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")

Key = tuple[int, int]


class _Operation:
    """One operation of the flat program.

    Attributes:
        name: Its primitive.
        reads: Keys of the arrays that it reads.
        writes: Keys and types of those that it writes.
    """

    def __init__(self, name: str, reads: list[Key], writes: dict[Key, Any]):
        self.name = name
        self.reads = reads
        self.writes = writes


def peak_bytes(
    function: Callable[..., Any], *arguments: Any, size: Callable[[Any], float]
) -> float:
    """The most bytes of arrays that are written and will still be read, at any moment.

    Args:
        function: The step; its results replace its arguments.
        *arguments: Its arguments, or their shapes.
        size: Bytes of an array on one device, given its type.
    """
    operations, results = _flat(jax.make_jaxpr(function)(*arguments))
    written = _written(operations, results)
    sources: dict[Key, frozenset[Key]] = {}
    for operation in operations:  # in order, so that what is read is known
        behind = frozenset().union(*(sources.get(key, frozenset()) for key in operation.reads))
        for key in operation.writes:
            sources[key] = frozenset([key]) if key in written else behind
    last: dict[Key, int] = {}
    for index, operation in enumerate(operations):
        if operation.name in FUSED and not any(
            key in written or key in results for key in operation.writes
        ):
            continue
        for key in operation.reads:
            last |= dict.fromkeys(sources.get(key, ()), index)
    return _most(operations, written, last, size)


def _written(operations: list[_Operation], results: set[Key]) -> set[Key]:
    """Keys of the arrays that are in memory, but for the results, which replace arguments."""
    readers: dict[Key, list[_Operation]] = {}
    for operation in operations:
        for key in operation.reads:
            readers.setdefault(key, []).append(operation)
    written: set[Key] = set()
    viewed: set[Key] = set()  # read whole, maybe by another shape
    loops: dict[Key, set[int]] = {}  # that compute an array, or would; two are enough to know
    for operation in reversed(operations):
        for key in operation.writes:
            found: set[int] = {id(operation)} if key in results else set()
            for reader in readers.get(key, []):
                ends = reader.name not in FUSED or any(k in written for k in reader.writes)
                behind = set[int]().union(*(loops[k] for k in reader.writes))
                found |= {id(reader)} if ends else behind
                is_view = reader.name in VIEWS and any(k in viewed for k in reader.writes)
                # Sums are the end of a loop, not its beginning.
                if is_view or (reader.name not in FUSED and not reader.name.startswith(SUMS)):
                    viewed.add(key)
            loops[key] = set(list(found)[:2])
            again = operation.name in COSTLY and len(found) > 1
            is_whole = key in viewed and operation.name not in VIEWS
            if key not in results and (operation.name not in FUSED or again or is_whole):
                written.add(key)
    return written


def _most(
    operations: list[_Operation],
    written: set[Key],
    last: dict[Key, int],
    size: Callable[[Any], float],
) -> float:
    ends: dict[int, list[Key]] = {}
    for key, index in last.items():
        ends.setdefault(index, []).append(key)
    held: dict[Key, float] = {}
    now = most = 0.0
    for index, operation in enumerate(operations):
        for key, kind in operation.writes.items():
            if key in written and last.get(key, -1) > index:
                # Random bits are held as the two words that they are mixed from.
                held[key] = size(kind) * (2 if operation.name == "random_bits" else 1)
                now += held[key]
        most = max(most, now)
        for key in ends.get(index, []):
            now -= held.pop(key, 0.0)
    return most


def _flat(closed: Any) -> tuple[list[_Operation], set[Key]]:
    """All operations in order, those inside of calls too, and the keys of the results."""
    operations: list[_Operation] = []

    def walk(jaxpr: Any, known: dict[Any, Key | None]) -> None:
        def key_of(variable: Any) -> Key | None:
            return None if isinstance(variable, Literal) else known.get(variable)

        for equation in jaxpr.eqns:
            inside = [equation.params[name] for name in CALLS if name in equation.params]
            is_loop = equation.primitive.name in ("scan", "while", "cond")
            reads = [key_of(variable) for variable in equation.invars]
            if inside and not is_loop:
                inner = getattr(inside[0], "jaxpr", inside[0])
                within = dict(zip(inner.invars, reads, strict=True))
                walk(inner, within)
                for outer, variable in zip(equation.outvars, inner.outvars, strict=True):
                    known[outer] = None if isinstance(variable, Literal) else within.get(variable)
                continue
            writes = {(len(operations), i): v.aval for i, v in enumerate(equation.outvars)}
            known.update(zip(equation.outvars, writes, strict=True))
            name = equation.primitive.name
            operations.append(_Operation(name, [key for key in reads if key], writes))

    known: dict[Any, Key | None] = {}
    walk(closed.jaxpr, known)
    results = {known.get(v) for v in closed.jaxpr.outvars if not isinstance(v, Literal)}
    return operations, {key for key in results if key}
