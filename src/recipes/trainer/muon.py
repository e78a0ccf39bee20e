"""Muon: steps along the orthogonal matrices nearest to means of gradients, many at a time."""

import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from recipes.trainer.sharding import logical_axes

Coefficients = Sequence[tuple[float, float, float]]


def polar_coefficients(iterations: int, smallest: float = 0.01) -> Coefficients:
    r"""Compute the coefficients that bring singular values closest to 1 in so many iterations.

    Each polynomial $a s + b s^3 + c s^5$ has the least error of all on the values that those before
    it leave, of which the first are from `smallest` to 1. Its error is then alike, with turns of
    the sign, at both ends and at the two extremes between them, which Remez' exchange finds. Once
    all values are next to 1, the polynomials are their limit: 1 at 1, where both of its first
    derivatives are 0.

    Args:
        iterations: Number of polynomials.
        smallest: Smallest singular value, as a share of the Frobenius norm, that comes near to 1;
            smaller ones grow too.

    References:
        Amsel et al., The Polar Express, 2025, arXiv:2505.16932, theorem 3.1.
    """
    low, high, found = smallest, 1.0, []
    for _ in range(iterations):
        if high - low < 1e-5:  # The equations for the best one are singular to rounding.
            found.append((15 / 8, -10 / 8, 3 / 8))
            continue
        a, b, c, error = _best_polynomial(low, high)
        found.append((a, b, c))
        low, high = 1.0 - abs(error), 1.0 + abs(error)
    return tuple(found)


def _best_polynomial(low: float, high: float) -> tuple[float, float, float, float]:
    """Coefficients, and the error with its sign, of the best polynomial between two values."""

    def through(inner: np.ndarray) -> tuple[float, float, float, float]:
        x = np.array([low, *inner, high])
        powers = np.stack([x, x**3, x**5, np.array([1.0, -1.0, 1.0, -1.0])], axis=1)
        a, b, c, error = np.linalg.solve(powers, np.ones(4)).tolist()
        return a, b, c, error

    inner = np.array([(3 * low + high) / 4, (low + 3 * high) / 4])
    for _ in range(30):
        a, b, c, _ = through(inner)
        root = math.sqrt(max(9 * b * b - 20 * a * c, 0.0))
        inner = np.sqrt((-3 * b + np.array([-root, root])) / (10 * c))
    return through(inner)


def orthogonalise(
    matrices: jax.Array,
    coefficients: Coefficients,
    dtype: jax.typing.DTypeLike | None = None,
) -> jax.Array:
    r"""Approximate the orthogonal matrices $U V^\top$ nearest to matrices $M = U S V^\top$.

    After a division by the Frobenius norm, each triple of coefficients is one iteration,
    $X \leftarrow a X + (b A + c A^2) X$ with $A = X X^\top$, which maps every singular value $s$
    to $a s + b s^3 + c s^5$.

    Args:
        matrices: $M$, `[matrices, rows, columns]`.
        coefficients: $(a, b, c)$ of each iteration, such as `polar_coefficients(4)`.
        dtype: Dtype of the products' operands, whose sums are float32; None for that of `matrices`.

    References:
        Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024.
        Amsel et al., The Polar Express, 2025, arXiv:2505.16932 (the coefficients).
    """
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.mT  # the products with the shorter side are cheaper
    x = x / (jnp.sqrt(jnp.square(x).sum(axis=(-2, -1), keepdims=True)) + 1e-7)

    def product(left: jax.Array, right: jax.Array) -> jax.Array:
        left, right = (side.astype(dtype or side.dtype) for side in (left, right))
        return jnp.matmul(left, right, preferred_element_type=jnp.float32)

    def iterate(x: jax.Array, abc: jax.Array) -> tuple[jax.Array, None]:
        a, b, c = abc
        gram = product(x, x.mT)
        return a * x + product(b * gram + c * product(gram, gram), x), None

    x, _ = jax.lax.scan(iterate, x.astype(jnp.float32), jnp.asarray(coefficients, jnp.float32))
    return (x if wide else x.mT).astype(matrices.dtype)


def matrix_axes(name: str, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the input and output axes of a matrix of layers, told by its name.

    Of `query.kernel`, for instance, `embed` is the input and `heads x head_dim` the output. They
    are the last axes; layers and experts before them are batches of matrices. Embeddings, the head,
    vectors and kernels whose names are not known are None.

    Example:
        >>> matrix_axes("stack.layers.attention.query.kernel", 4)
        ((1,), (2, 3))
        >>> matrix_axes("head.kernel", 2)
    """
    logical = logical_axes(name, rank)
    named = [axis for axis, word in enumerate(logical) if word not in ("layers", "experts", "")]
    if not name.endswith("kernel") or "vocab" in logical or not named:
        return None
    split = 1 if logical[named[0]] == "embed" else len(named) - 1
    return tuple(named[:split]), tuple(named[split:])


def orthogonal_steps(
    means: Mapping[str, jax.Array],
    coefficients: Coefficients,
    dtype: jax.typing.DTypeLike | None = None,
) -> dict[str, jax.Array]:
    r"""Compute Muon's steps of rate 1: orthogonal, times $\sqrt{\max(1, \text{out} / \text{in})}$.

    Matrices of one shape, transposed or not, are iterated together as one batch.

    Args:
        means: Means of gradients by the names of their parameters, all of which have `matrix_axes`.
        coefficients: As in `orthogonalise`.
        dtype: As in `orthogonalise`.

    Raises:
        ValueError: A name without `matrix_axes`.
    """
    seen = {name: _as_matrices(name, mean) for name, mean in means.items()}
    steps: dict[str, jax.Array] = {}
    for shape in sorted({tuple(sorted(matrices.shape[1:])) for matrices in seen.values()}):
        alike = {name: m for name, m in seen.items() if tuple(sorted(m.shape[1:])) == shape}
        wide = [m if m.shape[1] == shape[0] else m.mT for m in alike.values()]
        done = orthogonalise(jnp.concatenate(wide), coefficients, dtype)
        for name, matrices in alike.items():
            own, done = done[: len(matrices)], done[len(matrices) :]
            _, inputs, outputs = matrices.shape
            own = own if inputs == shape[0] else own.mT
            steps[name] = math.sqrt(max(1.0, outputs / inputs)) * own.reshape(means[name].shape)
    return steps


def _as_matrices(name: str, leaf: jax.Array) -> jax.Array:
    """See a parameter as `[matrices, inputs, outputs]`."""
    axes = matrix_axes(name, leaf.ndim)
    if axes is None:
        raise ValueError(f"{name!r} must be a matrix of a layer; let Adam train it.")
    inputs, outputs = (math.prod(leaf.shape[axis] for axis in side) for side in axes)
    return leaf.reshape(-1, inputs, outputs)
