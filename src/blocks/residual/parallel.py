"""Parallel layouts, whose sublayers all read the same input and are summed."""

from collections.abc import Mapping

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.residual.layout import NamedNorm, Residual, Sublayer


class Parallel(Residual, kw_only=True):
    r"""Parallel sublayers with one norm: $x \leftarrow x + \sum_f f(\mathrm{norm}(x))$.

    Their matrix products can then run at the same time.

    Example:
        ```python
        >>> from blocks import MLP, MultiHeadAttention, Parallel, TransformerBlock
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> block = TransformerBlock(attention=attention, mlp=mlp, residual=Parallel())

        ```

    References:
        Wang and Komatsuzaki, GPT-J-6B, 2021. Chowdhery et al., PaLM, 2022, arXiv:2204.02311.
    """

    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Add the results of all sublayers on the same normalised input."""
        normalised = norm("input_norm")(x)
        for sublayer in sublayers.values():
            x = x + sublayer(normalised)
        return x


class ParallelNorms(Residual, kw_only=True):
    r"""Parallel sublayers with a norm each: $x \leftarrow x + \sum_f f(\mathrm{norm}_f(x))$.

    Example:
        ```python
        >>> from blocks import MLP, MultiHeadAttention, ParallelNorms, TransformerBlock
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> block = TransformerBlock(attention=attention, mlp=mlp, residual=ParallelNorms())

        ```

    References:
        Black et al., GPT-NeoX-20B, 2022, arXiv:2204.06745.
    """

    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Add the results of all sublayers on the same input, each with its own norm."""
        return x + sum(f(norm(f"{name}_norm")(x)) for name, f in sublayers.items())
