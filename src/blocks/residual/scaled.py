"""Layouts that scale the residual stream or sublayers, for stable training of deep models."""

from typing import Annotated, Any

import flax.linen as nn
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from blocks.core.bounds import at_least
from blocks.core.errors.location import reported
from blocks.core.initializers import Constant
from blocks.core.typing import Array, Dtype, Initializer
from blocks.residual.layout import NamedNorm, Sublayer
from blocks.residual.sequential import SequentialResidual
from blocks.residual.wrapper import WrapperResidual


class DeepNorm(SequentialResidual, kw_only=True):
    r"""DeepNorm: post-norm with a scaled input, $x \leftarrow \mathrm{norm}(\alpha x + f(x))$.

    $\alpha = (2N)^{1/4}$ for $N$ layers of a model with one stack. The paper also scales the
    initial weights of sublayers by $\beta = (8N)^{-1/4}$; `deep_norm_params` does so.

    Attributes:
        depth: number $N$ of layers of the stack.

    Raises:
        ValueError: a depth below 1.

    Example:
        ```python
        >>> from blocks import MLP, MultiHeadAttention, TransformerBlock
        >>> from blocks.residual import DeepNorm
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> block = TransformerBlock(attention=attention, mlp=mlp, residual=DeepNorm(depth=12))

        ```

    References:
        Wang et al., DeepNet, 2022, arXiv:2203.00555.
    """

    depth: Annotated[int, at_least(1, ", the layers of the stack")]

    def step(self, x: Array, name: str, sublayer: Sublayer, norm: NamedNorm) -> Array:
        """Run a sublayer on the residual stream, and normalise the new, scaled sum."""
        return norm(f"{name}_norm")((2.0 * self.depth) ** 0.25 * x + sublayer(x))


class ReZero(SequentialResidual, kw_only=True):
    r"""ReZero: each sublayer is added with a learned weight that starts at zero, without norms.

    $$x \leftarrow x + \alpha_f\, f(x), \qquad \alpha_f = 0 \text{ at first}$$

    Attributes:
        param_dtype: dtype of the weights.
        weight_init: initialiser of the weights.

    Example:
        ```python
        >>> from blocks import MLP, MultiHeadAttention, TransformerBlock
        >>> from blocks.residual import ReZero
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> block = TransformerBlock(attention=attention, mlp=mlp, residual=ReZero())

        ```

    References:
        Bachlechner et al., ReZero is All You Need, 2020, arXiv:2003.04887.
    """

    param_dtype: Dtype = jnp.float32
    weight_init: Initializer = nn.initializers.zeros

    @nn.compact
    def step(self, x: Array, name: str, sublayer: Sublayer, norm: NamedNorm) -> Array:
        """Run a sublayer on the residual stream, and add its weighted result."""
        weight = self.param(f"{name}_weight", self.weight_init, (), self.param_dtype)
        return x + weight.astype(x.dtype) * sublayer(x)


class LayerScale(WrapperResidual, kw_only=True):
    r"""Layer scale: a learned factor on each feature of a sublayer's output, $f(x) \odot \gamma_f$.

    Attributes:
        residual: the layout that runs the scaled sublayers.
        param_dtype: dtype of the weights.
        scale_init: initialiser of the weights; the paper has 0.1 up to 18 layers, 1e-5 up to 24,
            1e-6 beyond.

    Example:
        ```python
        >>> from blocks import LayerScale, SandwichNorm
        >>> LayerScale(residual=SandwichNorm())
        LayerScale(residual=SandwichNorm())

        ```

    References:
        Touvron et al., Going Deeper with Image Transformers, 2021, arXiv:2103.17239.
    """

    param_dtype: Dtype = jnp.float32
    scale_init: Initializer = Constant(0.1)

    @nn.compact
    def wrap(self, name: str, sublayer: Sublayer, embed: int, deterministic: bool) -> Sublayer:
        """Scale each feature of the output."""
        scale = self.param(f"{name}_scale", self.scale_init, (embed,), self.param_dtype)
        return lambda h: sublayer(h) * scale.astype(h.dtype)[None, None]


@reported
def deep_norm_params(params: dict[str, Any], depth: int) -> dict[str, Any]:
    r"""Scale fresh parameters of a model with `DeepNorm` as its paper does.

    Args:
        params: fresh parameters, with weights drawn with unit gain, as by Xavier's initialiser.
        depth: number $N$ of layers of the stack.

    Returns:
        The parameters, with the weights of values, of attention's output and of MLPs multiplied by
        $\beta = (8N)^{-1/4}$.

    Raises:
        ValueError: a depth below 1, or parameters without such weights.

    References:
        Wang et al., DeepNet, 2022, arXiv:2203.00555, section 3.
    """
    if depth < 1:
        raise ValueError(f"depth={depth} must be at least 1, the layers of the stack.")
    smaller = [
        path
        for path in flatten_dict(params)
        if path[-1] == "kernel" and path[-2] in ("value", "out", "up", "gate", "down")
    ]
    if not smaller:
        raise ValueError(
            f"no kernel of a value, an output or an MLP in {sorted(params)}; give the parameters "
            'of a model, `variables["params"]`.'
        )
    leaves = flatten_dict(params)
    beta = (8.0 * depth) ** -0.25
    return unflatten_dict({path: v * beta if path in smaller else v for path, v in leaves.items()})
