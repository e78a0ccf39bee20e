"""Activations that JAX lacks, or defines otherwise than published models."""

import jax
import jax.numpy as jnp

from blocks.core.typing import Array


def gelu(x: Array) -> Array:
    r"""The exact GELU, $x\,\Phi(x)$; `jax.nn.gelu` is its tanh approximation by default."""
    # By erf, as in PyTorch: jax.nn.gelu uses erfc, which keeps digits that a product of float32
    # then loses, at several times the cost on a CPU.
    return _gelu(x)


@jax.custom_jvp
def _gelu(x: Array) -> Array:
    return 0.5 * x * (1.0 + jax.lax.erf(x * 2**-0.5))


@_gelu.defjvp
def _gelu_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (tangent,) = primals, tangents
    # One factor is kept for the backward pass, instead of all that it is computed from.
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    density = jnp.exp(-0.5 * wide * wide) * (2.0 * jnp.pi) ** -0.5
    slope = 0.5 * (1.0 + jax.lax.erf(wide * 2**-0.5)) + wide * density
    return _gelu(x), slope.astype(x.dtype) * tangent


def quick_gelu(x: Array) -> Array:
    r"""Sigmoid approximation of the GELU, $x\,\sigma(1.702\,x)$, as in CLIP and gpt-oss.

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
