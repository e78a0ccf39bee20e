"""Feature maps of queries and keys for linear attention."""

from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.core.block import Block
from blocks.core.bounds import at_least
from blocks.core.typing import Array, Dtype, Float, Initializer, Key, typed


class FeatureMap(Block, kw_only=True):
    """Base class for feature maps of queries and keys, with non-negative products."""

    def __call__(
        self, x: Float[Array, "batch seq heads head_dim"]
    ) -> Float[Array, "batch seq heads features"]:
        """Map each head of each token, in float32 as for a softmax."""
        raise TypeError(f"{type(self).__name__} has no features: give it a `__call__`.")


class EluFeatures(FeatureMap, kw_only=True):
    r"""ELU feature map, without parameters: $\phi(x) = \mathrm{elu}(x) + 1$.

    The weights are flatter than those of a softmax.

    Example:
        ```python
        >>> import jax.numpy as jnp
        >>> from blocks.recurrent import EluFeatures
        >>> EluFeatures().apply({}, jnp.array([[[[0.0, 2.0]]]]))
        Array([[[[1., 3.]]]], dtype=float32)

        ```

    References:
        Katharopoulos et al., Transformers are RNNs, 2020, arXiv:2006.16236, equation 7.
    """

    @typed
    def __call__(
        self, x: Float[Array, "batch seq heads head_dim"]
    ) -> Float[Array, "batch seq heads head_dim"]:
        """Map each feature independently."""
        return jax.nn.elu(x.astype(jnp.float32)) + 1.0


class TaylorFeatures(FeatureMap, kw_only=True):
    r"""Taylor feature map: the exponential to second order, with $1 + d + d^2$ features.

    $$\phi(q)^\top \phi(k) = 1 + s + \tfrac{1}{2} s^2 \approx e^s, \qquad s = q^\top k / \sqrt{d}$$

    It is close to a softmax for small scores, and never negative. The number of features suits
    small heads: 16 features, not 64.

    Example:
        ```python
        >>> import jax.numpy as jnp
        >>> from blocks.recurrent import TaylorFeatures
        >>> TaylorFeatures().apply({}, jnp.ones((1, 1, 1, 4))).shape
        (1, 1, 1, 21)

        ```

    References:
        Arora et al., Based, 2024, arXiv:2402.18668.
    """

    @typed
    def __call__(
        self, x: Float[Array, "batch seq heads head_dim"]
    ) -> Float[Array, "batch seq heads features"]:
        """Concatenate a one, the features and all their products."""
        x = x.astype(jnp.float32) * x.shape[-1] ** -0.25
        pairs = x[..., :, None] * x[..., None, :] * 2**-0.5
        return jnp.concatenate(
            [jnp.ones_like(x[..., :1]), x, pairs.reshape(*x.shape[:-1], -1)], axis=-1
        )


def identity(key: Key[Array, ""], shape: tuple[int, ...], dtype: Dtype = jnp.float32) -> Array:
    """Return a unit matrix for each head; nothing is drawn."""
    if shape[-1] > shape[-2]:
        raise ValueError(
            f"features={shape[-1]} are more than head_dim={shape[-2]}, and a unit matrix would "
            "start, and keep, those beyond it alike; give kernel_init=VarianceScaling()."
        )
    return jnp.broadcast_to(jnp.eye(*shape[-2:], dtype=dtype), shape)


class Hedgehog(FeatureMap, kw_only=True):
    r"""Hedgehog: a learned feature map whose products imitate the weights of a softmax.

    $$\phi(x) = \left[\mathrm{softmax}(x W),\; \mathrm{softmax}(-x W)\right]$$

    The softmaxes run over features: their exponentials make attention weights spiky and monotonic
    in the product of query and key. `HedgehogDistillation` trains the maps against a softmax.

    Attributes:
        features: columns of $W$, half the number of features; None takes `head_dim`.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of $W$, heads x head_dim x features. The default, a unit matrix for
            each head, cannot make more features than `head_dim`: use `VarianceScaling()`, say.

    Raises:
        ValueError: fewer than one feature, or more than the initialiser can tell apart.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, LinearAttention
        >>> from blocks.recurrent import Hedgehog
        >>> attention = LinearAttention(num_heads=4, feature_map=Hedgehog(), mask=Causal())
        >>> variables = jax.jit(attention.init)(jax.random.key(0), jnp.ones((1, 3, 32)))
        >>> variables["params"]["key_features"]["kernel"].shape
        (4, 8, 8)

        ```

    References:
        Zhang et al., The Hedgehog & the Porcupine, 2024, arXiv:2402.04347, section 4.
        Zhang et al., LoLCATs, 2024, arXiv:2410.10254 (the softmaxes, in its published code).
    """

    features: Annotated[int, at_least(1, "; head_dim is usual")] | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = identity

    @nn.compact
    @typed
    def __call__(
        self, x: Float[Array, "batch seq heads head_dim"]
    ) -> Float[Array, "batch seq heads features"]:
        """Map each head with its own weights."""
        heads, head_dim = x.shape[2:]
        shape = (heads, head_dim, self.features or head_dim)
        kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        mapped = jnp.einsum("bshd,hdf->bshf", x, kernel, preferred_element_type=jnp.float32)
        return jnp.concatenate([jax.nn.softmax(mapped), jax.nn.softmax(-mapped)], axis=-1)
