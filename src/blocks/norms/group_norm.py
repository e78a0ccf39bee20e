"""`GroupNorm`: groups of features centred and scaled over all steps of a sequence."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from blocks.core.block import Block
from blocks.core.bounds import Size
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.norms.affine import affine


class GroupNorm(Block, kw_only=True):
    r"""Group norm: each group of features centred and scaled over all steps of a sequence.

    $$y_{ti} = \frac{x_{ti} - \mu_g}{\sqrt{\sigma_g^2 + \epsilon}}\, \gamma_i + \beta_i$$

    $\mu_g$ and $\sigma_g^2$ are mean and variance of the group $g$ of feature $i$, over all steps.
    It mixes steps, earlier and later ones and padding: it is for signals of convolutions, not for
    layers of a transformer.

    Attributes:
        num_groups: number of groups of neighbouring features; as many as features normalises each
            alone, as an instance norm.
        epsilon: added to the variance.
        dtype: dtype of the result; None keeps the input's. Statistics are float32 always.
        param_dtype: dtype of the parameters.
        scale_init: initialiser of $\gamma$.
        bias_init: initialiser of $\beta$.

    Raises:
        ValueError: fewer than one group, or groups that do not divide the features.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks.norms import GroupNorm
        >>> norm = GroupNorm(num_groups=2)
        >>> norm.init_with_output(jax.random.key(0), jnp.ones((2, 5, 8)))[0].shape
        (2, 5, 8)

        ```

    References:
        Wu and He, Group Normalization, 2018, arXiv:1803.08494.
    """

    num_groups: Size
    epsilon: float = 1e-5
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    scale_init: Initializer = nn.initializers.ones
    bias_init: Initializer = nn.initializers.zeros

    @nn.compact
    @typed
    def __call__(self, x: Float[Array, "batch seq embed"]) -> Float[Array, "batch seq embed"]:
        """Normalise every group of each sequence of `x`."""
        batch, seq, embed = x.shape
        if embed % self.num_groups:
            raise ValueError(
                f"num_groups={self.num_groups} must divide embed={embed}; {embed} groups normalise "
                "each feature alone."
            )
        groups = x.astype(jnp.float32).reshape(batch, seq, self.num_groups, -1)
        centred = groups - groups.mean(axis=(1, 3), keepdims=True)
        variance = jnp.square(centred).mean(axis=(1, 3), keepdims=True)
        normed = (centred * jax.lax.rsqrt(variance + self.epsilon)).reshape(x.shape)
        scale = self.param("scale", self.scale_init, (embed,), self.param_dtype)
        bias = self.param("bias", self.bias_init, (embed,), self.param_dtype)
        return affine(normed, scale, bias).astype(self.dtype or x.dtype)
