"""Optimisers from settings."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers, muon

from recipes.trainer.muon import matrix_axes
from recipes.trainer.settings import OptimizerSettings
from recipes.trainer.soap import scale_by_soap

# Weights that multiply activations decay; biases and scales of norms do not. They are told apart
# by name, not rank: a bias of attention heads is a matrix, and a scanned stack adds an axis.
DECAYED = ("kernel", "embedding")
# How the names of the matrices of routers end.
ROUTER = "router.logits.kernel"

# Before the final fall of a schedule that is stable; a fifth is enough, says the paper.
STABLE_SHARE = 0.8


def schedule(
    settings: OptimizerSettings, max_steps: int, peak: float | None = None
) -> optax.Schedule:
    r"""Learning rate schedule: linear warm-up, then a fall to the minimum at `decay_steps`.

    With $r$ from 0 at the end of the warm-up to 1 at `decay_steps` the rate is
    $\eta_{min} + f(r) (\eta - \eta_{min})$, where $f$ is $\frac{1 + \cos \pi r}{2}$ (cosine),
    $1 - r$ (linear) or $\min(1, 5 (1 - r))$ (stable), and $\eta_{min}$ after it.

    Args:
        settings: The settings.
        max_steps: Length of the training, where the settings do not say when the decay ends.
        peak: Highest rate, which also scales the lowest; None for `learning_rate`.

    References:
        Karpathy, nanoGPT, 2022, train.py (warm-up and cosine).
        Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations,
        2024, arXiv:2405.18392 (stable).
    """
    warmup, end = settings.warmup_steps, settings.decay_steps or max_steps
    scale = 1.0 if peak is None else peak / settings.learning_rate
    high, low = settings.learning_rate * scale, settings.learning_rate * scale
    if settings.min_learning_rate is not None:
        low = settings.min_learning_rate * scale
    fall = {
        "cosine": lambda ratio: 0.5 * (1.0 + jnp.cos(jnp.pi * ratio)),
        "linear": lambda ratio: 1.0 - ratio,
        "stable": lambda ratio: jnp.minimum(1.0, (1.0 - ratio) / (1.0 - STABLE_SHARE)),
    }[settings.schedule]

    def rate(step: jax.typing.ArrayLike) -> jax.Array:
        step = jnp.asarray(step)
        ratio = jnp.clip((step - warmup) / max(end - warmup, 1), 0.0, 1.0)
        decayed = low + fall(ratio) * (high - low)
        return jnp.where(step < warmup, high * (step + 1) / (warmup + 1), decayed)

    return rate


def decays(params: Any) -> Any:
    """Return True for the parameters that weight decay applies to."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jax.tree_util.keystr(path[-1:], simple=True) in DECAYED, params
    )


def layer_matrices(params: Any) -> Any:
    """Return the input and output axes of the matrices of layers, which Muon and SOAP train.

    They are told by the names of parameters: of `query.kernel`, for instance, `embed` is the input
    and `heads x head_dim` the output. Layers and experts are batches of matrices. Embeddings, the
    head, vectors and kernels whose names are not known are None: AdamW trains these.
    """

    def axes(path: Any, leaf: Any) -> MuonDimensionNumbers | None:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        found = matrix_axes(name, leaf.ndim)
        return None if found is None else MuonDimensionNumbers(*found)

    return jax.tree_util.tree_map_with_path(axes, params)


def _in_layers(params: Any) -> Any:
    """Return True for the matrices of layers."""
    return jax.tree.map(lambda _, axes: axes is not None, params, layer_matrices(params))


def _routers(params: Any) -> Any:
    """Return True for the matrices of routers, whose logits are sums over the width."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: jax.tree_util.keystr(path, simple=True, separator=".").endswith(ROUTER),
        params,
    )


def _divide(by: float, *groups: Callable[[Any], Any]) -> optax.GradientTransformation:
    """Divide the updates of the parameters for which one of the functions gives True."""

    def divide(updates: Any, params: Any) -> Any:
        del params
        return jax.tree.map(
            lambda update, *chosen: update / by if any(chosen) else update,
            updates,
            *(group(updates) for group in groups),
        )

    return optax.stateless(divide)


def build_optimizer(
    settings: OptimizerSettings, max_steps: int, width_multiplier: float = 1.0
) -> optax.GradientTransformation:
    """Build the optimiser that the settings name.

    Args:
        settings: The settings.
        max_steps: Length of the training, where the settings do not say when the decay ends.
        width_multiplier: Width of the model in that for which the rate was found. Matrices of
            layers and of routers then learn more slowly by this factor, as muP has it; those that
            Muon trains need not, as the size of its updates in each direction does not depend on
            the width.

    References:
        Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017, arXiv:1711.05101.
        Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, arXiv:2302.06675 (Lion).
        Shazeer and Stern, Adafactor, 2018, arXiv:1804.04235.
        Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024.
        Vyas et al., SOAP: Improving and Stabilizing Shampoo using Adam, 2024, arXiv:2409.11321.
        Yang et al., Tensor Programs V, 2022, arXiv:2203.03466, table 8 (muP).
    """
    b1, b2, decay = settings.beta1, settings.beta2, settings.weight_decay
    rate = schedule(settings, max_steps)
    if settings.name == "muon":
        update = muon(
            schedule(settings, max_steps, settings.muon_learning_rate),
            weight_decay=decay,
            adam_b1=b1,
            adam_b2=b2,
            adam_learning_rate=rate,
            muon_weight_dimension_numbers=layer_matrices,
        )
        if width_multiplier != 1.0:
            # AdamW trains routers, without decay.
            update = optax.chain(update, _divide(width_multiplier, _routers))
    else:
        adam = optax.scale_by_adam(b1=b1, b2=b2, eps=settings.epsilon)
        scale = {
            "adamw": lambda: adam,
            "lion": lambda: optax.scale_by_lion(b1=b1, b2=b2),
            "adafactor": lambda: optax.chain(
                optax.scale_by_factored_rms(), optax.clip_by_block_rms(1.0)
            ),
            "soap": lambda: optax.partition(
                {
                    True: scale_by_soap(layer_matrices, b1=b1, b2=b2, epsilon=settings.epsilon),
                    False: adam,
                },
                _in_layers,
            ),
        }[settings.name]()
        if width_multiplier != 1.0:
            # Before weight decay, which the paper leaves as it is.
            scale = optax.chain(scale, _divide(width_multiplier, _in_layers, _routers))
        update = optax.chain(
            scale, optax.add_decayed_weights(decay, decays), optax.scale_by_learning_rate(rate)
        )
    clip = settings.clip_norm
    return optax.chain(
        optax.identity() if clip is None else optax.clip_by_global_norm(clip), update
    )
