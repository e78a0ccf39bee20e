"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers


class SoapState(NamedTuple):
    """State of `scale_by_soap`; all but the step are trees like the parameters.

    Attributes:
        step: Number of steps so far.
        mean: $M$, the mean of gradients.
        square: $V$, the mean of squared gradients in the eigenbasis.
        left: $L$ of every matrix; an `optax.MaskedNode` for an axis that is too long.
        right: $R$, likewise.
        left_basis: $Q_L$, likewise.
        right_basis: $Q_R$, likewise.
    """

    step: jax.Array
    mean: Any
    square: Any
    left: Any
    right: Any
    left_basis: Any
    right_basis: Any


def scale_by_soap(
    matrices: Callable[[Any], Any],
    *,
    b1: float = 0.95,
    b2: float = 0.95,
    epsilon: float = 1e-8,
    refresh_every: int = 10,
    max_size: int = 10_000,
) -> optax.GradientTransformation:
    r"""Scale the gradients of matrices as Adam does, in the eigenbasis of their preconditioner.

    With a gradient $G$ and its rotation $G' = Q_L^\top G Q_R$ the update is, with Adam's correction
    of the bias,

    $$M \leftarrow \beta_1 M + (1 - \beta_1) G, \quad V \leftarrow \beta_2 V + (1 - \beta_2) G'^2,
    \quad N = Q_L \frac{Q_L^\top M Q_R}{\sqrt V + \epsilon} Q_R^\top.$$

    Then $L \leftarrow \beta_2 L + (1 - \beta_2) G G^\top$ and
    $R \leftarrow \beta_2 R + (1 - \beta_2) G^\top G$. Every few steps $Q_L$ becomes the factor $Q$
    of the QR decomposition of $L Q_L$, and $Q_R$ that of $R Q_R$: a step of power iteration.

    The first gradient moves nothing, as in the authors' code: the eigenvectors of its $L$ and $R$
    are the first bases.

    Args:
        matrices: Returns for a tree of parameters which axes of each are inputs and outputs. They
            are the last axes, in this order; those before them are a batch of matrices.
        b1: $\beta_1$.
        b2: $\beta_2$.
        epsilon: $\epsilon$.
        refresh_every: Number of steps between two refreshes of the bases.
        max_size: Length of the longest axis that has a basis, which has the square of its length;
            the gradient is not rotated along longer ones.

    References:
        Vyas et al., SOAP: Improving and Stabilizing Shampoo using Adam, 2024, arXiv:2409.11321.
    """

    def init(params: Any) -> SoapState:
        def squares(axis: int, fill: Callable[[int], jax.Array]) -> Any:
            def square(leaf: jax.Array, axes: MuonDimensionNumbers) -> Any:
                shape = _matrix_shape(leaf, axes)
                size = shape[axis]
                if size > max_size:
                    return optax.MaskedNode()  # Orbax refuses arrays without elements
                return jnp.broadcast_to(fill(size), (*shape[:-2], size, size))

            return jax.tree.map(square, params, matrices(params))

        def zeros(size: int) -> jax.Array:
            return jnp.zeros((size, size))

        return SoapState(
            step=jnp.zeros((), jnp.int32),
            mean=optax.tree.zeros_like(params),
            square=optax.tree.zeros_like(params),
            left=squares(-2, zeros),
            right=squares(-1, zeros),
            left_basis=squares(-2, jnp.eye),
            right_basis=squares(-1, jnp.eye),
        )

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, SoapState]:
        del params
        axes, count = matrices(updates), state.step
        bases = state.left_basis, state.right_basis
        rotate = functools.partial(jax.tree.map, _rotate)
        mean = optax.tree.update_moment(updates, state.mean, b1, 1)
        square = optax.tree.update_moment(rotate(updates, axes, *bases), state.square, b2, 2)
        steps = jnp.maximum(count, 1)
        scaled = jax.tree.map(
            lambda m, v: m / (jnp.sqrt(v) + epsilon),
            rotate(optax.tree.bias_correction(mean, b1, steps), axes, *bases),
            optax.tree.bias_correction(square, b2, steps),
        )
        moved = rotate(scaled, axes, *jax.tree.map(lambda basis: basis.mT, bases))

        def average(matrix: jax.Array, old: Any) -> Any:
            return b2 * old + (1.0 - b2) * matrix @ matrix.mT if _is_kept(old) else old

        gradients = jax.tree.map(_as_matrix, updates, axes)
        transposed = jax.tree.map(lambda matrix: matrix.mT, gradients)
        sides = (
            jax.tree.map(average, gradients, state.left),
            jax.tree.map(average, transposed, state.right),
        )
        refresh = jnp.where(count == 0, 2, jnp.where(count % refresh_every == 0, 1, 0))
        refreshed = [functools.partial(jax.tree.map, each) for each in (_power, _exact)]
        bases = jax.lax.switch(refresh, [lambda _, old: old, *refreshed], sides, bases)

        before = optax.tree.zeros_like(updates), state.mean, state.square
        moved, mean, square = jax.tree.map(
            lambda new, old: jnp.where(count == 0, old, new), (moved, mean, square), before
        )
        return moved, SoapState(count + 1, mean, square, *sides, *bases)

    return optax.GradientTransformation(init, update)


def _power(matrix: jax.Array, basis: jax.Array) -> jax.Array:
    """Approximate eigenvectors after one step of power iteration."""
    return jnp.linalg.qr(matrix @ basis)[0]


def _exact(matrix: jax.Array, basis: jax.Array) -> jax.Array:
    """Eigenvectors, the largest eigenvalue first, which is the order of power iteration."""
    del basis
    return jnp.linalg.eigh(matrix)[1][..., ::-1]


def _rotate(leaf: jax.Array, axes: MuonDimensionNumbers, left: Any, right: Any) -> jax.Array:
    """Compute left.T @ leaf @ right of a leaf seen as matrices."""
    matrix = _as_matrix(leaf, axes)
    matrix = left.mT @ matrix if _is_kept(left) else matrix
    matrix = matrix @ right if _is_kept(right) else matrix
    return matrix.reshape(leaf.shape).astype(leaf.dtype)


def _is_kept(square: Any) -> bool:
    """Whether the axis is short enough to have this matrix."""
    return not isinstance(square, optax.MaskedNode)


def _as_matrix(leaf: jax.Array, axes: MuonDimensionNumbers) -> jax.Array:
    return leaf.reshape(_matrix_shape(leaf, axes)).astype(jnp.float32)


def _matrix_shape(leaf: jax.Array, axes: MuonDimensionNumbers) -> tuple[int, ...]:
    """Batch axes, and the products of the inputs and of the outputs."""
    inputs: Any = axes.reduction_axis
    sizes = (leaf.shape[inputs[0] : inputs[-1] + 1], leaf.shape[inputs[-1] + 1 :])
    return (*leaf.shape[: inputs[0]], *map(math.prod, sizes))
