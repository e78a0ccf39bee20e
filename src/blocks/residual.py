"""Residual layouts: where norms and adds stand around the sublayers of a block."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import flax.linen as nn

from blocks.base import Block
from blocks.typing import Array, Float, typed

Sublayer: TypeAlias = Callable[[Array], Array]
NamedNorm: TypeAlias = Callable[[str], nn.Module]


class Residual(Block, kw_only=True):
    """What a layout is: a rule that runs sublayers on `x`, with as many norms as it needs."""

    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
    ) -> Float[Array, "batch seq embed"]:
        """Runs `sublayers` in order; `norm(name)` makes a norm of that name in the block."""
        raise TypeError(f"{type(self).__name__} is no layout: give it a `__call__`.")


class PreNorm(Residual, kw_only=True):
    r"""Normalises what goes into each sublayer: $x \leftarrow x + f(\mathrm{norm}(x))$.

    The sum itself is never normalised, so gradients reach every layer undamped; the model needs one
    more norm at its end.

    Example:
        ```python
        >>> from blocks import MLP, MultiHeadAttention, PreNorm, TransformerBlock
        >>> attention = MultiHeadAttention(num_heads=2)
        >>> TransformerBlock(attention=attention, mlp=MLP(hidden=8), residual=PreNorm()).residual
        PreNorm()

        ```

    References:
        Xiong et al., On Layer Normalization in the Transformer Architecture, 2020,
        arXiv:2002.04745.
    """

    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
    ) -> Float[Array, "batch seq embed"]:
        """Runs every sublayer on the normalised sum so far."""
        for name, sublayer in sublayers.items():
            x = x + sublayer(norm(f"{name}_norm")(x))
        return x


class PostNorm(Residual, kw_only=True):
    r"""Normalises each sum: $x \leftarrow \mathrm{norm}(x + f(x))$, as in the original paper.

    Example:
        ```python
        >>> from blocks import MLP, MultiHeadAttention, PostNorm, TransformerBlock
        >>> attention = MultiHeadAttention(num_heads=2)
        >>> TransformerBlock(attention=attention, mlp=MLP(hidden=8), residual=PostNorm()).residual
        PostNorm()

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.1.
    """

    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
    ) -> Float[Array, "batch seq embed"]:
        """Runs every sublayer on the sum so far, then normalises the new sum."""
        for name, sublayer in sublayers.items():
            x = norm(f"{name}_norm")(x + sublayer(x))
        return x
