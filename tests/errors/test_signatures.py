"""Cases of wrong rank and dtype, made from the law cases: every part refuses them by name."""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from laws.cases import CASES

from blocks import find

# The smallest case that holds a kind of block is the quickest to trace.
SMALLEST = {
    type(part): case
    for case in sorted(CASES, key=lambda case: -len(find(case.block, nn.Module)))
    for part in find(case.block, nn.Module).values()
    if type(part).__module__.startswith("blocks.")
}


def problems(module: nn.Module, call: Callable[..., Any], args: Any) -> list[str]:
    """What is not refused as it should be, of the first array that a block is called on."""
    names = list(inspect.signature(type(module).__call__).parameters)[1:]
    at = next((i for i, arg in enumerate(args) if isinstance(arg, jax.Array)), None)
    if at is None:
        return []
    right, hint = args[at], str(inspect.unwrap(type(module).__call__).__annotations__[names[at]])
    if "Array" not in hint:  # an adapter takes what the block inside it does
        return []
    whole = jnp.issubdtype(right.dtype, jnp.integer)
    wrong = {"dtype": right.astype(jnp.float32 if whole else jnp.int32)}
    if "*" not in hint:
        wrong["rank"] = right[0]
    found = []
    for mistake, value in wrong.items():
        sizes = re.escape(",".join(map(str, value.shape)))
        pattern = (
            rf"^{type(module).__name__}.*: argument `{names[at]}` does not fit its signature\n"
            rf"  expected: .*\[Array, .*\n  actual:   [a-z]+\d+\[{sizes}\]"
        )
        try:
            call(*args[:at], value, *args[at + 1 :])
        except TypeError as error:
            if not re.search(pattern, str(error)):
                found.append(f"{mistake}: {error}")
        else:
            found.append(f"{mistake}: nothing was raised")
    return found


@pytest.mark.parametrize("kind", SMALLEST, ids=lambda kind: kind.__name__)
def test_a_wrong_rank_and_dtype_are_refused_by_name(kind: type[nn.Module]) -> None:
    case = SMALLEST[kind]
    arguments = case.arguments()
    found: list[str] = []

    def tried(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        if type(context.module) is kind and context.method_name == "__call__":
            found.extend(problems(context.module, functools.partial(call, **kwargs), args))
        return call(*args, **kwargs)

    with nn.intercept_methods(tried):
        jax.eval_shape(lambda: case.block.init(jax.random.key(0), *case.call(*arguments)))
    assert found == []
