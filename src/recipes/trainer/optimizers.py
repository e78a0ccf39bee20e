"""Optimisers from settings."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from recipes.trainer.settings import AdamWSettings

# Weights that multiply activations decay; biases and scales of norms do not. They are told apart
# by name, not rank: a bias of attention heads is a matrix, and a scanned stack adds an axis.
DECAYED = ("kernel", "embedding")


def schedule(settings: AdamWSettings, max_steps: int) -> optax.Schedule:
    r"""Learning rate schedule of nanoGPT: linear warm-up, then cosine decay.

    Linear up to `warmup_steps`, then $\eta_{min} + \frac{1 + \cos \pi r}{2} (\eta - \eta_{min})$
    with $r$ from 0 to 1 at `decay_steps`, then $\eta_{min}$.

    References:
        Karpathy, nanoGPT, 2022, train.py.
    """
    peak, warmup = settings.learning_rate, settings.warmup_steps
    low = peak if settings.min_learning_rate is None else settings.min_learning_rate
    end = settings.decay_steps or max_steps

    def rate(step: jax.typing.ArrayLike) -> jax.Array:
        step = jnp.asarray(step)
        ratio = jnp.clip((step - warmup) / max(end - warmup, 1), 0.0, 1.0)
        decayed = low + 0.5 * (1.0 + jnp.cos(jnp.pi * ratio)) * (peak - low)
        return jnp.where(step < warmup, peak * (step + 1) / (warmup + 1), decayed)

    return rate


def decays(params: Any) -> Any:
    """Return True for the parameters that weight decay applies to."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jax.tree_util.keystr(path[-1:], simple=True) in DECAYED, params
    )


def adamw(settings: AdamWSettings, max_steps: int) -> optax.GradientTransformation:
    """Build AdamW from settings.

    References:
        Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017, arXiv:1711.05101.
    """
    clip = optax.identity()
    if settings.clip_norm is not None:
        clip = optax.clip_by_global_norm(settings.clip_norm)
    return optax.chain(
        clip,
        optax.adamw(
            schedule(settings, max_steps),
            b1=settings.beta1,
            b2=settings.beta2,
            eps=settings.epsilon,
            weight_decay=settings.weight_decay,
            mask=decays,
        ),
    )
