"""Hidden states and attention weights of a call, layer by layer."""

from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from blocks.core.typing import Array, Float, typed
from blocks.introspection.leave import asking
from blocks.layers.stack import Stack

Path = tuple[str, ...]


@typed
def hidden_states(
    model: nn.Module, variables: Any, *inputs: Any, stack: str | None = None
) -> Float[Array, "layers batch seq embed"]:
    """What every layer of a `Stack` gives, in order; the last is what the stack gives.

    A head on one of them is early exit. A call that does not ask computes and keeps nothing more.

    Args:
        model: a stack, or a model that holds one.
        variables: its parameters, and its cache where it has one.
        inputs: what `model` is called on.
        stack: path of the stack, where the model holds several.

    Raises:
        ValueError: no stack, or several and none of them named.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, MLP, MultiHeadAttention, Stack, TransformerBlock
        >>> from blocks import hidden_states
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> model = Stack(block=TransformerBlock(attention=attention, mlp=MLP(hidden=8)), depth=3)
        >>> x = jnp.ones((1, 5, 8))
        >>> hidden_states(model, model.init(jax.random.key(0), x), x).shape
        (3, 1, 5, 8)

        ```
    """
    stacks: dict[str, list[Array]] = {}
    for path, state in _collected("hidden_states", model, variables, inputs).items():
        stacks.setdefault(path.rpartition(".")[0], []).append(state)
    if stack is None and len(stacks) == 1:
        (stack,) = stacks
    if stack not in stacks:
        there = ", ".join(map(repr, stacks)) or "none"
        raise ValueError(
            f"stack={stack!r} names no stack of {type(model).__name__}; it has {there}."
        )
    return jnp.stack(stacks[stack])


def attention_weights(
    model: nn.Module, variables: Any, *inputs: Any
) -> dict[str, Float[Array, "batch heads q_seq kv_seq"]]:
    """The weights that every attention layer gives to values, by the layer's path.

    They are those that the layer used, whatever its kernel, position, mask, score modifications and
    sinks: what the mask hides has none, and a row sums to 1, less where there are sinks. Linear
    attention has them within one call, none to tokens of a cache; `GatedDeltaNet` has none. Layers
    of a scan are listed one by one, as those of a loop. A call that does not ask computes and keeps
    nothing more; one that does keeps all weights, whose number grows with the square of the length.

    Args:
        model: an attention block, or a model that holds some.
        variables: its parameters, and its cache where it has one.
        inputs: what `model` is called on.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, MLP, MultiHeadAttention, Stack, TransformerBlock
        >>> from blocks import attention_weights
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> model = Stack(block=TransformerBlock(attention=attention, mlp=MLP(hidden=8)), depth=2)
        >>> x = jnp.ones((1, 5, 8))
        >>> weights = attention_weights(model, model.init(jax.random.key(0), x), x)
        >>> {path: array.shape for path, array in weights.items()}
        {'layer_0.attention': (1, 2, 5, 5), 'layer_1.attention': (1, 2, 5, 5)}

        ```
    """
    return _collected("attention_weights", model, variables, inputs)


def _collected(
    collection: str, model: nn.Module, variables: Any, inputs: tuple[Any, ...]
) -> dict[str, Array]:
    """What blocks left in a collection, by their path in a model that loops over its layers."""
    patterns: dict[Path, int] = {}

    def note(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        if isinstance(context.module, Stack) and context.method_name == "__call__":
            block = context.module.block
            patterns[context.module.path] = len(block) if isinstance(block, tuple) else 1
        return call(*args, **kwargs)

    with asking(collection), nn.intercept_methods(note):
        _, left = model.apply(variables, *inputs, mutable=[collection, "cache"])
    found: dict[str, Array] = {}
    for path, values in _leaves(left.get(collection, {})):
        for place, value in enumerate(values):
            called = f".call_{place}" if place else ""
            found |= {f"{name}{called}": part for name, part in _unrolled(path, value, patterns)}
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _leaves(tree: Any, path: Path = ()) -> Iterator[tuple[Path, tuple[Array, ...]]]:
    """The tuples that were left, without their own names."""
    for name, value in tree.items():
        if isinstance(value, tuple):
            yield path, value
        else:
            yield from _leaves(value, (*path, name))


def _unrolled(
    path: Path, value: Array, patterns: dict[Path, int], place: int = 0, shown: Path = ()
) -> Iterator[tuple[str, Array]]:
    """The layers of a scan, one by one: repeat r of place p in the pattern is a layer."""
    if place == len(path):
        yield ".".join(shown), value
    elif path[:place] in patterns and path[place].startswith("layers"):
        block = int(path[place].removeprefix("layers").lstrip("_") or 0)
        for repeat, part in enumerate(value):
            name = f"layer_{repeat * patterns[path[:place]] + block}"
            yield from _unrolled(path, part, patterns, place + 1, (*shown, name))
    else:
        yield from _unrolled(path, value, patterns, place + 1, (*shown, path[place]))


def _order(path: str) -> list[tuple[str, int]]:
    """Sorts `layer_10` behind `layer_9`."""
    parts = (part.rpartition("_") for part in path.split("."))
    return [(p[0], int(p[2])) if p[2].isdigit() else ("".join(p), 0) for p in parts]
