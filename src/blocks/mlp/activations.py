"""Activations that JAX does not have, or not as published models use them."""

import jax
import jax.numpy as jnp

from blocks.core.typing import Array


def gelu(x: Array) -> Array:
    r"""The exact GELU, $x\,\Phi(x)$; `jax.nn.gelu` is its tanh approximation by default."""
    # By erf, as PyTorch: jax.nn.gelu goes by erfc, which keeps digits that a product of float32
    # then loses, at several times the cost on a CPU.
    return 0.5 * x * (1.0 + jax.lax.erf(x * 2**-0.5))


def quick_gelu(x: Array) -> Array:
    r"""A cheap GELU, $x\,\sigma(1.702\,x)$: CLIP, Whisper's kin and gpt-oss were trained with it.

    References:
        Hendrycks and Gimpel, Gaussian Error Linear Units, 2016, arXiv:1606.08415, section 2.
    """
    return x * jax.nn.sigmoid(1.702 * x)


def squared_relu(x: Array) -> Array:
    r"""The squared ReLU, $\max(x, 0)^2$.

    References:
        So et al., Primer, 2021, arXiv:2109.08668.
    """
    return jnp.square(jax.nn.relu(x))
