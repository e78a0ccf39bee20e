"""Initialisation of a loop's layers: one compiled program for all layers of a kind."""

from typing import Any

import flax.linen as nn
import jax

from blocks.carry import Carry
from blocks.context import Context
from blocks.core.typing import Array


class LayerParameters:
    """The parameters of layers that run one after the other, as `init` draws them.

    XLA takes far longer to compile a random number generator for each parameter of each layer than
    the layers themselves. Layers that share a block of the pattern, and find the same names in
    the carry, are therefore drawn together by one program.
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
        scope = self.owner.scope
        if scope is None or not self.owner.is_initializing():
            return
        place, repeat = index % len(self.pattern), len(self.pattern)
        kind = (place, *sorted(carry))
        if kind not in self.drawn:
            layers = len(range(index, self.depth, repeat))
            block = self.pattern[place]
            others = {name: jax.random.key(0) for name in scope.rngs}

            def one(key: Array) -> Any:
                given = context.replace(carry=carry)
                variables = block.init({**others, "params": key}, x, given, deterministic)
                return variables.get("params", {})

            try:
                keys = jax.random.split(self.owner.make_rng("params"), layers)
                self.drawn[kind] = index, jax.jit(lambda keys: jax.lax.map(one, keys))(keys)
            except Exception:  # errors of the layer are raised by its own call
                self.drawn[kind] = index, {}
        first, stacked = self.drawn[kind]
        params = jax.tree.map(lambda leaf: leaf[(index - first) // repeat], stacked)
        if params:
            scope.put_variable("params", f"layer_{index}", params)
