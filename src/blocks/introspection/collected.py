"""Hidden states and attention weights of a call, layer by layer."""

from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from blocks.core.leave import asking
from blocks.core.typing import Array, Float, typed
from blocks.layers.stack import Stack

Path = tuple[str, ...]


@typed
def hidden_states(
    model: nn.Module, variables: Any, *inputs: Any, stack: str | None = None
) -> Float[Array, "layers batch seq embed"]:
    """Collect the output of every layer of a `Stack`, in order; the last is that of the stack.

    A head on one of them is early exit. Ordinary calls compute and store nothing extra.

    Args:
        model: a stack, or a model that holds one.
        variables: its parameters, and its cache where it has one.
        inputs: arguments of the call of `model`.
        stack: path of the stack, if the model holds several.

    Raises:
        ValueError: no stack, or several without a `stack` that selects one.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, MLP, MultiHeadAttention, Stack, TransformerBlock
        >>> from blocks import hidden_states
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> model = Stack(block=TransformerBlock(attention=attention, mlp=MLP(hidden=8)), depth=3)
        >>> x = jnp.ones((1, 5, 8))
        >>> hidden_states(model, jax.jit(model.init)(jax.random.key(0), x), x).shape
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
    """Collect the attention weights of every attention layer, by its path.

    They are the weights that the layer used, after mask, score modifications and sinks, whatever
    its kernel: hidden keys have weight 0, and a row sums to 1, less with sinks. Those of linear
    attention cover the tokens of one call, not those of a cache; `GatedDeltaNet` has none. Layers
    of a scan are listed one by one. Ordinary calls compute and store nothing extra; this one stores
    all weights, whose number grows with the square of the length.

    Args:
        model: an attention block, or a model with attention blocks.
        variables: its parameters, and its cache where it has one.
        inputs: arguments of the call of `model`.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, MLP, MultiHeadAttention, Stack, TransformerBlock
        >>> from blocks import attention_weights
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> model = Stack(block=TransformerBlock(attention=attention, mlp=MLP(hidden=8)), depth=2)
        >>> x = jnp.ones((1, 5, 8))
        >>> weights = attention_weights(model, jax.jit(model.init)(jax.random.key(0), x), x)
        >>> {path: array.shape for path, array in weights.items()}
        {'layer_0.attention': (1, 2, 5, 5), 'layer_1.attention': (1, 2, 5, 5)}

        ```
    """
    return _collected("attention_weights", model, variables, inputs)


def _collected(
    collection: str, model: nn.Module, variables: Any, inputs: tuple[Any, ...]
) -> dict[str, Array]:
    """Read a collection, by the paths of blocks in a model that loops over its layers."""
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
    """The stored tuples, by path."""
    for name, value in tree.items():
        if isinstance(value, tuple):
            yield path, value
        else:
            yield from _leaves(value, (*path, name))


def _unrolled(
    path: Path, value: Array, patterns: dict[Path, int], place: int = 0, shown: Path = ()
) -> Iterator[tuple[str, Array]]:
    """Split the layers of a scan: repeat r of index p in the pattern is a layer."""
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
    """Sort key that puts `layer_10` after `layer_9`."""
    parts = (part.rpartition("_") for part in path.split("."))
    return [(p[0], int(p[2])) if p[2].isdigit() else ("".join(p), 0) for p in parts]
