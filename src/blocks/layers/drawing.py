"""Initialisation of a loop's layers: one compiled program for all layers of a kind."""

from typing import Any

import flax.linen as nn
import jax
from flax.core import DenyList, Scope, unfreeze
from jax.extend.core import jaxpr_as_fun
from jax.interpreters.partial_eval import dce_jaxpr

from blocks.carry import Carry
from blocks.context import Context
from blocks.core.block import fresh
from blocks.core.typing import Array


class LayerParameters:
    """The parameters of layers that run one after the other, as `init` draws them.

    XLA takes far longer to compile a random number generator for each parameter of each layer than
    the layers themselves. Layers that share a block of the pattern, and find the same names in
    the carry, are therefore drawn together by one program.

    Layers whose parameters depend on their input, or that need its values, are left to their own
    call, one by one.
    """

    def __init__(self, owner: nn.Module, pattern: tuple[nn.Module, ...], depth: int) -> None:
        self.owner = owner
        self.pattern = pattern
        self.depth = depth
        self.drawn: dict[Any, tuple[int, Any]] = {}

    def draw(
        self, index: int, x: Array, carry: Carry, context: Context, deterministic: bool
    ) -> None:
        """Put the parameters of layer `index` into its owner's scope during `init`."""
        scope, name = self.owner.scope, f"layer_{index}"
        if scope is None or not self.owner.is_initializing() or scope.has_variable("params", name):
            return  # a stack around this one may have drawn them
        place, repeat = index % len(self.pattern), len(self.pattern)
        kind = (place, x.shape, *sorted(carry))
        if kind not in self.drawn:
            given = (x, context.replace(carry=carry), deterministic)
            layers = len(range(index, self.depth, repeat))
            self.drawn[kind] = index, self._drawn(name, place, layers, given)
        first, stacked = self.drawn[kind]
        params = jax.tree.map(lambda leaf: leaf[(index - first) // repeat], stacked)
        if params:
            scope.put_variable("params", name, params)

    def _drawn(self, name: str, place: int, layers: int, given: tuple[Any, ...]) -> Any:
        """Draw the parameters of all layers of a kind; none where the input decides on them."""
        scope = self.owner.scope
        assert scope is not None
        if not scope.has_rng("params"):  # the call of the layer says so
            return {}
        x, context, deterministic = given
        keys = jax.random.split(self.owner.make_rng("params"), layers)
        others = {stream: jax.random.key(0) for stream in scope.rngs if stream != "params"}

        def one(key: Array, others: dict[str, Array], x: Array, context: Context) -> Any:
            # At the path of the first of these layers, which errors name.
            own = Scope(
                {},
                rngs={**others, "params": key},
                mutable=DenyList("intermediates"),
                path=(*scope.path, name),
                flags={"initializing": True},
            )
            with own.temporary():
                fresh(self.pattern[place], parent=own)(x, context, deterministic)
                made: Any = own.variables()
                return unfreeze(made).get("params", {})

        try:
            closed, shapes = jax.make_jaxpr(one, return_shape=True)(keys[0], others, x, context)
        except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):  # it needs the values of x
            return {}
        jaxpr, (_, *read) = dce_jaxpr(
            closed.jaxpr, True, [True, *[False] * (len(closed.in_avals) - 1)]
        )
        if any(read):
            return {}
        draw = jaxpr_as_fun(closed.replace(jaxpr=jaxpr))
        leaves = jax.jit(lambda keys: jax.lax.map(draw, keys))(keys)
        return jax.tree.unflatten(jax.tree.structure(shapes), leaves)
