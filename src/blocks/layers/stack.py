"""`Stack`: a block, or a pattern of blocks, repeated with separate weights in every layer."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.carry import AndCarry, Carry, join_carry, split_carry
from blocks.context import Context
from blocks.core.block import Block, fresh
from blocks.core.bounds import Size
from blocks.core.errors.location import reported
from blocks.core.errors.words import shown
from blocks.core.leave import leave
from blocks.core.parameters import refuse_other
from blocks.core.slots import Layers
from blocks.core.typing import Array, Float, typed
from blocks.layers.drawing import LayerParameters


class Stack(Block, kw_only=True):
    r"""Stack of `depth` layers: $x_{l+1} = \mathrm{block}_l(x_l)$.

    Attributes:
        block: the layer, or a tuple of layers that repeats: five local and one global, say.
        depth: number of layers.
        scan: compile one repeat of the pattern and loop over it, instead of compiling every layer.
            Parameters then have a leading axis of repeats; `stack_layers` and `unstack_layers`
            convert.
        shared: share one set of weights among all repeats of the pattern, as in ALBERT; it implies
            `scan`, and parameters then have no axis of repeats.
        remat: recompute activations in the backward pass instead of keeping them: True keeps
            nothing, a policy of `jax.checkpoint_policies` keeps what it names, such as
            `save_only_these_names("attention", "mlp")`. JAX silently ignores names that no block
            defines.

    Raises:
        ValueError: an empty pattern, a depth below 1, or a scan whose depth is not a multiple of
            the pattern's length.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, MLP, MultiHeadAttention, Stack, TransformerBlock
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> block = TransformerBlock(attention=attention, mlp=MLP(hidden=32))
        >>> variables = Stack(block=block, depth=3).init(jax.random.key(0), jnp.ones((1, 3, 8)))
        >>> sorted(variables["params"])
        ['layer_0', 'layer_1', 'layer_2']

        ```

    References:
        Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016, arXiv:1604.06174 (remat).
        Lan et al., ALBERT, 2019, arXiv:1909.11942 (shared layers).
    """

    block: Layers
    depth: Size
    scan: bool = False
    shared: bool = False
    remat: bool | Callable[..., Any] = False

    def check_fields(self) -> None:
        """Validate the depth against the pattern."""
        pattern = len(self._pattern())
        if pattern == 0:
            raise ValueError("block=() holds no layer; give at least one.")
        if self._scans and self.depth % pattern:
            why = "share" if self.shared else "scan"
            other = "" if self.shared else ", or scan=False"
            raise ValueError(
                f"depth={self.depth} must be a multiple of the pattern's {pattern} blocks to "
                f"{why}; use {self.depth - self.depth % pattern or pattern}{other}."
            )

    @property
    def _scans(self) -> bool:
        return self.scan or self.shared

    def _pattern(self) -> tuple[nn.Module, ...]:
        return self.block if isinstance(self.block, tuple) else (self.block,)

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> AndCarry[Float[Array, "batch seq embed"]]:
        """Run all layers."""
        if context is not None:
            context.check(*x.shape[:2])
        pattern = self._pattern()
        # A scan already keeps the compiler from undoing the recomputation.
        run = runner(self.remat, deterministic, prevent_cse=not self._scans)
        given, (context, carry) = context, carrying(context)

        if not self._scans:
            parameters = LayerParameters(self, pattern, self.depth)
            for index in range(self.depth):
                parameters.draw(index, x, carry, context, deterministic)
                layer = fresh(pattern[index % len(pattern)], name=f"layer_{index}")
                x, carry = run(layer, x, carry, context)
            return join_carry(x, context.replace(carry=carry), given)

        def repeat(
            stack: "Stack", loop: tuple[Array, Carry], context: Context
        ) -> tuple[tuple[Array, Carry], None]:
            (x, carry), before = loop, {*loop[1]}
            for index, block in enumerate(pattern):
                name = "layers" if len(pattern) == 1 else f"layers_{index}"
                x, carry = run(fresh(block, parent=stack, name=name), x, carry, context)
            new = sorted({*carry} - before)
            if new:
                raise ValueError(
                    f"layers leave {', '.join(new)} for later ones, which layers of a scan cannot; "
                    "use scan=False and shared=False."
                )
            return (x, carry), None

        others = nn.DenyList("params")
        scanned = nn.scan(
            repeat,
            variable_axes={others if self.shared else True: 0},
            variable_broadcast="params" if self.shared else False,
            split_rngs={others: True, "params": not self.shared},
            in_axes=nn.broadcast,  # pyright: ignore[reportArgumentType]  # annotated as int in flax
            length=self.depth // len(pattern),
            # The test of constancy traces again, and mistakes a check inside `checked` for a leak.
            # Shared parameters can only be created with it.
            check_constancy_invariants=self.shared and self.is_initializing(),
        )
        (x, carry), _ = scanned(self, (x, carry), context)
        return join_carry(x, context.replace(carry=carry), given)


def carrying(context: Context | None) -> tuple[Context, Carry]:
    """Split off the carry from the context of a stack's layers; an empty one if there is none."""
    context = Context() if context is None else context
    return context.replace(carry=None), Carry() if context.carry is None else context.carry


def runner(
    remat: bool | Callable[..., Any], deterministic: bool, prevent_cse: bool = True
) -> Callable[[nn.Module, Array, Carry, Context], tuple[Array, Carry]]:
    """Wrap the call of a layer, recomputed in the backward pass as `remat` says.

    It takes and returns `x` together with the carry.
    """

    def run(layer: nn.Module, x: Array, carry: Carry, context: Context) -> tuple[Array, Carry]:
        context = context.replace(carry=carry)
        y, after = split_carry(layer(x, context, deterministic), context)
        y = y.astype(x.dtype)
        leave(layer, "hidden_states", lambda: y)
        assert after.carry is not None
        return y, after.carry

    if not remat:
        return run
    return nn.remat(run, policy=None if remat is True else remat, prevent_cse=prevent_cse)


@reported
def stack_layers(params: dict[str, Any], pattern: int = 1) -> dict[str, Any]:
    """Convert a `Stack`'s parameters from the loop's layout to the scan's.

    It knows no model: `check_parameters` says whether the result is that of one.

    Args:
        params: the parameters of a `Stack(scan=False)`: `layer_0`, `layer_1`, ...
        pattern: number of blocks in the pattern that repeats.

    Returns:
        The parameters of the same stack with `scan=True`: `layers`, or `layers_0`, ... for a
        pattern, each with a leading axis of repeats.

    Raises:
        ValueError: names that are not a loop's, a depth that is not a multiple of `pattern`, or
            layers of one kind with different parameters.
    """
    depth = len(params) if isinstance(params, Mapping) else 0
    if depth == 0 or set(params) != {f"layer_{index}" for index in range(depth)}:
        raise ValueError(
            f"expected layer_0, layer_1, ... of a Stack(scan=False), got {_named(params)}; "
            "pass the parameters of the stack itself."
        )
    if pattern < 1 or depth % pattern:
        raise ValueError(f"pattern={pattern} must divide the {depth} layers.")
    for index in range(pattern, depth):
        first, layer = f"layer_{index % pattern}", f"layer_{index}"
        what = f"{layer} has other parameters than {first}, and a scan runs one block for both"
        refuse_other(what, params[first], params[layer], first)
    return {
        ("layers" if pattern == 1 else f"layers_{place}"): jax.tree.map(
            lambda *leaves: jnp.stack(leaves),
            *(params[f"layer_{index}"] for index in range(place, depth, pattern)),
        )
        for place in range(pattern)
    }


@reported
def unstack_layers(params: dict[str, Any]) -> dict[str, Any]:
    """Convert a `Stack`'s parameters from the scan's layout to the loop's.

    It knows no model: `check_parameters` says whether the result is that of one.

    Args:
        params: the parameters of a `Stack(scan=True)`: `layers`, or `layers_0`, ... for a pattern.

    Returns:
        The parameters of the same stack with `scan=False`: `layer_0`, `layer_1`, ...

    Raises:
        ValueError: names that are not a scan's, or parameters of different numbers of repeats.
    """
    pattern = len(params) if isinstance(params, Mapping) else 0
    names = ["layers"] if pattern == 1 else [f"layers_{place}" for place in range(pattern)]
    if pattern == 0 or set(params) != set(names):
        raise ValueError(
            f"expected `layers`, or layers_0, ..., of a Stack(scan=True), got {_named(params)}; "
            "pass the parameters of the stack itself."
        )
    sizes = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(params)}
    if len(sizes) != 1 or sizes == {()}:
        raise ValueError(
            f"the first axes of the parameters are {sorted(sizes)}, and should be one number of "
            "repeats; pass the parameters of a Stack(scan=True)."
        )
    ((repeats,),) = sizes
    return {
        f"layer_{repeat * pattern + place}": jax.tree.map(
            lambda leaf, repeat=repeat: leaf[repeat], params[name]
        )
        for repeat in range(repeats)
        for place, name in enumerate(names)
    }


def _named(params: Any) -> str:
    return str(sorted(params)) if isinstance(params, Mapping) else shown(params)
