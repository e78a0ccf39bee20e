"""Losses of classes and tokens, as means with their weight, for the trainer."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from recipes.trainer.step import Metrics

Logits = Callable[[jax.Array], jax.Array]


def cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    weights: jax.Array | None = None,
    *,
    z_loss: float = 0.0,
    label_smoothing: float = 0.0,
) -> tuple[jax.Array, Metrics]:
    r"""Compute the weighted mean of $-\log p(\mathrm{target})$ in nats, in float32.

    Args:
        logits: Scores, `[..., classes]`.
        targets: Class of each, `[...]`.
        weights: How much each counts, `[...]`: 0 for padding and for what is not predicted. All
            count alike if None.
        z_loss: Factor of $(\log \sum e^{\mathrm{logits}})^2$, which is added and keeps logits from
            growing; 1e-4 is usual.
        label_smoothing: Probability $\epsilon$ that is spread evenly over all classes.

    Returns:
        The mean, and metrics: `weight`, the sum of the weights; `accuracy`; and, where the loss has
        other terms, `cross_entropy` without them.

    Raises:
        ValueError: Shapes that do not go together, or a smoothing that is not a probability.

    References:
        Szegedy et al., Rethinking the Inception Architecture, 2015, arXiv:1512.00567 (smoothing).
        Chowdhery et al., PaLM, 2022, arXiv:2204.02311 (z-loss).

    Example:
        >>> targets, weights = jnp.array([3, 5]), jnp.array([1.0, 0.0])
        >>> loss, metrics = cross_entropy(jnp.zeros((2, 8)), targets, weights)
        >>> round(float(loss), 4), float(metrics["weight"])  # log 8
        (2.0794, 1.0)
    """
    total, metrics = _sums(logits, targets, weights, z_loss, label_smoothing)
    return _means(total, metrics)


def chunked_cross_entropy(
    logits_of: Logits,
    hidden: jax.Array,
    targets: jax.Array,
    weights: jax.Array | None = None,
    *,
    chunk: int = 128,
    z_loss: float = 0.0,
    label_smoothing: float = 0.0,
) -> tuple[jax.Array, Metrics]:
    """Compute `cross_entropy` of a large vocabulary without ever holding all logits.

    Logits are computed for `chunk` positions at a time, and again for their gradient: memory falls
    from `batch x seq x vocab` to `batch x chunk x vocab`, for one more product with the head.

    Args:
        logits_of: The head: from `[batch, chunk, embed]` to `[batch, chunk, vocab]`.
        hidden: What the head reads, `[batch, seq, embed]`.
        targets: Token ids, `[batch, seq]`.
        weights: How much each counts, `[batch, seq]`.
        chunk: Positions at a time.
        z_loss: As in `cross_entropy`.
        label_smoothing: As in `cross_entropy`.

    Raises:
        ValueError: A chunk below 1, or shapes that do not go together.
    """
    if chunk < 1:
        raise ValueError(f"chunk={chunk} must be at least 1 position; 128 is usual.")
    weights = jnp.ones(targets.shape, jnp.float32) if weights is None else weights
    parts = -(-targets.shape[1] // chunk)

    def split(array: jax.Array) -> jax.Array:
        """Chunks in front; the last one is filled up with what does not count."""
        padding = [(0, 0), (0, parts * chunk - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
        padded = jnp.pad(array, padding).reshape(len(array), parts, chunk, *array.shape[2:])
        return jnp.moveaxis(padded, 1, 0)

    @jax.checkpoint
    def one(part: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, Metrics]:
        x, targets, weights = part
        return _sums(logits_of(x), targets, weights, z_loss, label_smoothing)

    sums = jax.lax.map(one, (split(hidden), split(targets), split(weights)))
    return _means(*jax.tree.map(lambda leaf: leaf.sum(axis=0), sums))


def _sums(
    logits: jax.Array,
    targets: jax.Array,
    weights: jax.Array | None,
    z_loss: float,
    label_smoothing: float,
) -> tuple[jax.Array, Metrics]:
    """Weighted sums of the loss and of its metrics."""
    shapes = {targets.shape, logits.shape[:-1], targets.shape if weights is None else weights.shape}
    if len(shapes) > 1:
        raise ValueError(
            f"logits {list(logits.shape)}, targets {list(targets.shape)} and weights "
            f"{None if weights is None else list(weights.shape)} do not go together; targets and "
            "weights have the shape of logits without its last axis."
        )
    if not 0.0 <= label_smoothing < 1.0:
        raise ValueError(f"label_smoothing={label_smoothing} must be at least 0 and below 1.")
    logits = logits.astype(jnp.float32)
    plain = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    losses = plain
    normaliser = jax.nn.logsumexp(logits, axis=-1)
    if label_smoothing:
        even = normaliser - logits.mean(axis=-1)
        losses = (1.0 - label_smoothing) * plain + label_smoothing * even
    if z_loss:
        losses = losses + z_loss * jnp.square(normaliser)
    weights = jnp.ones(targets.shape, jnp.float32) if weights is None else weights
    measured = {"weight": jnp.ones_like(plain), "accuracy": logits.argmax(axis=-1) == targets}
    if z_loss or label_smoothing:
        measured["cross_entropy"] = plain
    return (losses * weights).sum(), {
        name: (values * weights).sum() for name, values in measured.items()
    }


def _means(total: jax.Array, sums: Metrics) -> tuple[jax.Array, Metrics]:
    weight = sums["weight"]
    means = {name: value / weight for name, value in sums.items() if name != "weight"}
    return total / weight, {"weight": weight, **means}
