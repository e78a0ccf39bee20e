"""`AdaptiveNormZero`: norms and gates computed from a condition, as in diffusion transformers."""

from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear
from blocks.residual.layout import NamedNorm, Residual, Sublayer


class AdaptiveNormZero(Residual, kw_only=True):
    r"""Adaptive norm (adaLN-Zero): scale, shift and gate of each sublayer from a condition $c$.

    $$x \leftarrow x + \gamma_f \odot f(\mathrm{norm}(x) \odot (1 + \alpha_f) + \beta_f), \qquad
    (\beta_f, \alpha_f, \gamma_f) = \mathrm{silu}(c)\, W_f + b_f$$

    All three start at zero, so that every layer starts as the identity. The block's norm should
    have no affine map of its own: `LayerNorm(use_scale=False, use_bias=False)`.

    Attributes:
        dtype: dtype of the projection; None infers it.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the projections $W_f$.

    Raises:
        ValueError: a call without `context.condition`.

    Example:
        ```python
        >>> from blocks import LayerNorm, MLP, MultiHeadAttention
        >>> from blocks.residual import AdaptiveNormZero
        >>> from blocks import TransformerBlock
        >>> block = TransformerBlock(
        ...     attention=MultiHeadAttention(num_heads=2),
        ...     mlp=MLP(hidden=8),
        ...     norm=LayerNorm(use_scale=False, use_bias=False),
        ...     residual=AdaptiveNormZero(),
        ... )

        ```

    References:
        Peebles and Xie, Scalable Diffusion Models with Transformers, 2022, arXiv:2212.09748.
    """

    reads = frozenset({"condition"})

    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = nn.initializers.zeros

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Run every sublayer on the modulated norm of the residual stream."""
        if context is None or context.condition is None:
            raise ValueError(
                "AdaptiveNormZero is steered by a condition; call with Context(condition=...)."
            )
        condition = nn.silu(context.condition)
        for name, sublayer in sublayers.items():
            steer = Linear(
                features=(3, x.shape[-1]),
                dtype=self.dtype,
                param_dtype=self.param_dtype,
                kernel_init=self.kernel_init,
                name=name,
            )(condition)
            shift, scale, gate = (steer[:, None, i].astype(x.dtype) for i in range(3))
            x = x + gate * sublayer(norm(f"{name}_norm")(x) * (1.0 + scale) + shift)
        return x
