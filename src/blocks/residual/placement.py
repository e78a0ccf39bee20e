"""Layouts that differ in the placement of norms: pre-norm, post-norm, sandwich and output norm."""

from blocks.core.typing import Array
from blocks.residual.layout import NamedNorm, Sublayer
from blocks.residual.sequential import SequentialResidual


class PreNorm(SequentialResidual, kw_only=True):
    r"""Pre-norm: the input of each sublayer is normalised, $x \leftarrow x + f(\mathrm{norm}(x))$.

    The residual stream itself is never normalised, so gradients reach every layer undamped; the
    model needs a final norm.

    Example:
        ```python
        >>> from blocks import MLP, MultiHeadAttention, PreNorm, TransformerBlock
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> block = TransformerBlock(attention=attention, mlp=mlp, residual=PreNorm())

        ```

    References:
        Xiong et al., On Layer Normalization in the Transformer Architecture, 2020,
        arXiv:2002.04745.
    """

    def step(self, x: Array, name: str, sublayer: Sublayer, norm: NamedNorm) -> Array:
        """Run a sublayer on the normalised residual stream."""
        return x + sublayer(norm(f"{name}_norm")(x))


class PostNorm(SequentialResidual, kw_only=True):
    r"""Post-norm: each sum is normalised, $x \leftarrow \mathrm{norm}(x + f(x))$.

    Example:
        ```python
        >>> from blocks import MLP, MultiHeadAttention, PostNorm, TransformerBlock
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> block = TransformerBlock(attention=attention, mlp=mlp, residual=PostNorm())

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.1.
    """

    def step(self, x: Array, name: str, sublayer: Sublayer, norm: NamedNorm) -> Array:
        """Run a sublayer on the residual stream, then normalise the new sum."""
        return norm(f"{name}_norm")(x + sublayer(x))


class SandwichNorm(SequentialResidual, kw_only=True):
    r"""Sandwich norm: both input and output of each sublayer are normalised.

    $$x \leftarrow x + \mathrm{norm}(f(\mathrm{norm}(x)))$$

    Example:
        ```python
        >>> from blocks import MLP, MultiHeadAttention, SandwichNorm, TransformerBlock
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> block = TransformerBlock(attention=attention, mlp=mlp, residual=SandwichNorm())

        ```

    References:
        Ding et al., CogView, 2021, arXiv:2105.13290. Gemma Team, Gemma 2, 2024, arXiv:2408.00118.
    """

    def step(self, x: Array, name: str, sublayer: Sublayer, norm: NamedNorm) -> Array:
        """Run a sublayer on the normalised residual stream, and add its normalised result."""
        return x + norm(f"{name}_out_norm")(sublayer(norm(f"{name}_norm")(x)))


class OutputNorm(SequentialResidual, kw_only=True):
    r"""Output norm: each sublayer's output is normalised, $x \leftarrow x + \mathrm{norm}(f(x))$.

    Example:
        ```python
        >>> from blocks import MLP, MultiHeadAttention, OutputNorm, TransformerBlock
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> block = TransformerBlock(attention=attention, mlp=mlp, residual=OutputNorm())

        ```

    References:
        OLMo Team, 2 OLMo 2 Furious, 2024, arXiv:2501.00656.
    """

    def step(self, x: Array, name: str, sublayer: Sublayer, norm: NamedNorm) -> Array:
        """Run a sublayer on the residual stream, and add its normalised result."""
        return x + norm(f"{name}_out_norm")(sublayer(x))
