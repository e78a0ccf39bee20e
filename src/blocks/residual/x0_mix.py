"""`X0Mix`: the embedding of the tokens, mixed into the input of every layer."""

from collections.abc import Mapping

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.typing import Array, Dtype, Float, typed
from blocks.residual.layout import NamedNorm, Residual, Sublayer
from blocks.residual.placement import PreNorm


class X0Mix(Residual, kw_only=True):
    r"""Embedding residual: $x_0$ is mixed into the input of each layer, $x \leftarrow a x + b x_0$.

    $a$ starts at 1 and $b$ at 0. Models set `context.x0`; a layer called alone needs it.

    Attributes:
        residual: the layout that runs on the mix.
        param_dtype: dtype of the two weights.

    Raises:
        ValueError: a call without `context.x0`.

    Example:
        ```python
        >>> from blocks.residual import X0Mix
        >>> X0Mix().residual
        PreNorm()

        ```

    References:
        Jordan et al., modded-nanogpt, 2024, github.com/KellerJordan/modded-nanogpt.
    """

    reads = frozenset({"x0"})

    residual: Residual = PreNorm()
    param_dtype: Dtype = jnp.float32

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
        """Mix in the embedding, then run the layout."""
        if context is None or context.x0 is None:
            raise ValueError(
                "X0Mix mixes in the first embedding; call with Context(x0=...), as CausalLM "
                "and Encoder do."
            )
        weight = self.param("own", nn.initializers.ones, (), self.param_dtype)
        x0_weight = self.param("x0", nn.initializers.zeros, (), self.param_dtype)
        x = weight.astype(x.dtype) * x + x0_weight.astype(x.dtype) * context.x0.astype(x.dtype)
        return self.residual(x, sublayers, norm, context, deterministic)
