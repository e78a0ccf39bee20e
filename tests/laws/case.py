"""A case of the laws: one block, what it is called on, and what is expected of it."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from blocks import Context
from blocks.models.parts import Model

BATCH, SEQ, EMBED, VOCAB = 2, 6, 8, 11


@dataclasses.dataclass(frozen=True)
class Case:
    """One block with what it is called on.

    Attributes:
        name: of the case.
        block: a value of the block.
        inputs: makes its array arguments from a key, a batch and a length.
        parameters: their number, counted by hand from the formula in the docs.
        argument: name of the first argument, which errors have to name.
        shared: takes `(context, deterministic)` after its arrays.
        mixes: mixes tokens, and so has to do with masks.
        caches: decodes token by token.
        memory: tokens of the other sequence that it reads.
        pools: gives one result for a sequence, not one for each token.
        heavy: its laws take more than 8 s of CPU in all (`pytest -n 0 tests/laws -k NAME`); only
            those in `ALWAYS` of `tests/laws/default_run.py` then run without asking for slow tests.
        condition: is steered by a condition.
        table: its second array is the table of an embedding.
    """

    name: str
    block: nn.Module
    inputs: Callable[[jax.Array, int, int], tuple[jax.Array, ...]]
    parameters: int
    argument: str = "x"
    shared: bool = True
    mixes: bool = False
    caches: bool = False
    memory: int = 0
    pools: bool = False
    condition: bool = False
    table: bool = False
    heavy: bool = False

    def arguments(self, seed: int = 0, batch: int = BATCH, seq: int = SEQ) -> tuple[Any, ...]:
        """Arrays to call the block on."""
        return self.inputs(jax.random.key(seed), batch, seq)

    @property
    def _needs(self) -> bool:
        return self.memory > 0 or self.condition

    def context(self, shape: tuple[int, ...], context: Context | None = None) -> Context | None:
        """The context, with what the block needs of it; the same for every row of that shape."""
        if not self._needs or not shape:
            return context
        context = context or Context()
        if self.memory and context.memory is None:
            memory = drawn(9, (1, self.memory, EMBED))
            context = context.replace(
                memory=jnp.broadcast_to(memory, (shape[0], self.memory, EMBED))
            )
        if self.condition:
            condition = jnp.broadcast_to(drawn(10, (1, EMBED)), (shape[0], EMBED))
            context = context.replace(condition=condition)
        return context

    def call(self, *arguments: Any) -> tuple[Any, ...]:
        """The arrays, and the context where the block needs one."""
        if self.table:
            return arguments[0], None, True, *arguments[1:]
        return (*arguments, self.context(arguments[0].shape)) if self._needs else arguments

    def init(self, *arguments: Any) -> Any:
        """Its variables, with every bias and scale away from its trivial start.

        They are of the shapes that the block makes, and drawn by numpy: to compile an
        initialisation takes longer than most laws. Blocks' own tests are of what they start with.
        """
        return _variables(self, *(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in arguments))

    def __str__(self) -> str:
        return self.name


def drawn(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Normal numbers, without a program that JAX would compile."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@functools.cache
def _variables(case: Case, *arguments: jax.ShapeDtypeStruct) -> Any:
    shapes = jax.eval_shape(
        lambda *arrays: case.block.init(jax.random.key(7), *case.call(*arrays)), *arguments
    )
    leaves, tree = jax.tree_util.tree_flatten_with_path(shapes)
    values = []
    for seed, (path, leaf) in enumerate(leaves):
        # Matrices as large as most initialisers make them; a scale stands around one, a bias zero.
        size, centre = (0.45, 0.0) if leaf.ndim > 1 else (0.3, float("scale" in str(path[-1])))
        values.append(jnp.asarray(centre + size * drawn(seed, leaf.shape), leaf.dtype))
    return jax.tree.unflatten(tree, values)


def vectors(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (jax.random.normal(key, (batch, seq, EMBED)),)


def placed(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (*vectors(key, batch, seq), jnp.arange(seq)[None])


def tokens(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (jax.random.randint(key, (batch, seq), 0, VOCAB),)


def with_table(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (*vectors(key, batch, seq), jax.random.normal(key, (VOCAB, EMBED)))


def run(
    case: Case,
    variables: Any,
    arguments: tuple[Any, ...],
    context: Context | None = None,
    deterministic: bool = True,
    **options: Any,
) -> Any:
    """Calls a block on its arrays and, where it takes them, context and determinism."""
    context = case.context(arguments[0].shape, context)
    shared = (context, deterministic) if case.shared else ()
    if case.table:
        arguments, table = arguments[:1], {"table": arguments[1]}
        options = {**options, **table}
    return case.block.apply(variables, *arguments, *shared, **options)


@functools.partial(jax.jit, static_argnames=("case", "deterministic", "mutable"))
def jitted(
    case: Case,
    variables: Any,
    arguments: tuple[Any, ...],
    context: Context | None = None,
    deterministic: bool = True,
    key: jax.Array | None = None,
    mutable: tuple[str, ...] = (),
) -> Any:
    """The same compiled, as users run it, and as keeps the laws fast."""
    rngs = None if key is None else {"dropout": key}
    options = {"rngs": rngs, "mutable": list(mutable) if mutable else False}
    return run(case, variables, arguments, context, deterministic, **options)


def first_embedding(case: Case, first: jax.Array) -> jax.Array | None:
    """`x0` of a call: what layers are called on; a model makes that of its layers itself."""
    floats = jnp.issubdtype(first.dtype, jnp.floating)
    return first if floats and not isinstance(case.block, Model) else None


@functools.partial(jax.jit, static_argnames="case")
def gradients(
    case: Case,
    variables: Any,
    arguments: tuple[Any, ...],
    factor: jax.Array,
    context: Context | None = None,
) -> tuple[Any, Any]:
    """Gradients of `(factor * result).sum()`, of variables and of the first array (or zeros)."""
    floats = jnp.issubdtype(arguments[0].dtype, jnp.floating)

    def total(variables: Any, first: jax.Array) -> jax.Array:
        shared = context and context.replace(x0=first_embedding(case, first))
        return (factor * run(case, variables, (first, *arguments[1:]), shared)).sum()

    if not floats:
        return jax.grad(total)(variables, arguments[0]), jnp.zeros(arguments[0].shape)
    return jax.grad(total, argnums=(0, 1))(variables, arguments[0])
