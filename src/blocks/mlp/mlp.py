"""MLPs: what a transformer does to each token alone."""

from collections.abc import Callable
from typing import TypeAlias

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear
from blocks.mlp.activations import gelu, quick_gelu

AnyMLP: TypeAlias = "MLP | GatedMLP | ClampedGatedMLP"


def _linear(mlp: AnyMLP, features: int, name: str, init: Initializer | None) -> Linear:
    return Linear(
        features=(features,),
        use_bias=mlp.use_bias,
        dtype=mlp.dtype,
        param_dtype=mlp.param_dtype,
        kernel_init=init or mlp.kernel_init,
        name=name,
    )


def _check_fields(mlp: AnyMLP) -> None:
    if mlp.hidden < 1:
        raise ValueError(f"hidden={mlp.hidden} must be at least 1; 4 * embed is usual.")
    if not 0.0 <= mlp.dropout_rate < 1.0:
        raise ValueError(f"dropout_rate={mlp.dropout_rate} must be at least 0 and below 1.")


class MLP(Block, kw_only=True):
    r"""Widens each token, applies an activation, and projects back.

    $$y = \phi(x W_\text{up} + b_\text{up})\, W_\text{down} + b_\text{down}$$

    Attributes:
        hidden: features between the two projections.
        activation: the function $\phi$; the exact GELU by default, as in PyTorch's GPT-2s.
        use_bias: learn biases in both projections.
        dropout_rate: share of the hidden features dropped in training.
        dtype: of the computation; None infers it from input and parameters.
        param_dtype: of the parameters.
        kernel_init: of the kernels.
        out_kernel_init: of the projection back; None takes `kernel_init`.

    Raises:
        ValueError: a size below 1 or a rate outside [0, 1).

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP
        >>> mlp = MLP(hidden=32)
        >>> x = jnp.ones((2, 5, 8))
        >>> mlp.apply(mlp.init(jax.random.key(0), x), x).shape
        (2, 5, 8)

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.3.
    """

    hidden: int
    activation: Callable[[Array], Array] = gelu
    use_bias: bool = True
    dropout_rate: float = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    out_kernel_init: Initializer | None = None

    def check_fields(self) -> None:
        """Refuses sizes and rates that cannot be."""
        _check_fields(self)

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "*batch embed"]:
        """Transforms every token of `x` alone; `context` is not used."""
        h = self.activation(_linear(self, self.hidden, "up", None)(x))
        h = nn.Dropout(self.dropout_rate)(h, deterministic)
        return _linear(self, x.shape[-1], "down", self.out_kernel_init)(h)


class GatedMLP(Block, kw_only=True):
    r"""An MLP whose hidden features are gated by a second projection.

    $$y = (\phi(x W_\text{gate}) \odot x W_\text{up})\, W_\text{down}$$

    With SiLU it is SwiGLU, with GELU GeGLU, with a sigmoid the original GLU.

    Attributes:
        hidden: features between the projections; 8/3 of the width matches a plain MLP's size.
        activation: the function $\phi$ of the gate.
        use_bias: learn biases in all three projections; the paper and its users have none.
        dropout_rate: share of the hidden features dropped in training.
        dtype: of the computation; None infers it from input and parameters.
        param_dtype: of the parameters.
        kernel_init: of the kernels.
        out_kernel_init: of the projection back; None takes `kernel_init`.

    Raises:
        ValueError: a size below 1 or a rate outside [0, 1).

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import GatedMLP
        >>> mlp = GatedMLP(hidden=24)
        >>> x = jnp.ones((2, 5, 8))
        >>> sorted(mlp.init(jax.random.key(0), x)["params"])
        ['down', 'gate', 'up']

        ```

    References:
        Shazeer, GLU Variants Improve Transformer, 2020, arXiv:2002.05202.
    """

    hidden: int
    activation: Callable[[Array], Array] = nn.silu
    use_bias: bool = False
    dropout_rate: float = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    out_kernel_init: Initializer | None = None

    def check_fields(self) -> None:
        """Refuses sizes and rates that cannot be."""
        _check_fields(self)

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "*batch embed"]:
        """Transforms every token of `x` alone; `context` is not used."""
        gate = self.activation(_linear(self, self.hidden, "gate", None)(x))
        h = gate * _linear(self, self.hidden, "up", None)(x)
        h = nn.Dropout(self.dropout_rate)(h, deterministic)
        return _linear(self, x.shape[-1], "down", self.out_kernel_init)(h)


class ClampedGatedMLP(Block, kw_only=True):
    r"""SwiGLU between bounds, as in gpt-oss: extreme features cannot blow up low precision.

    $$y = (g\,\sigma(1.702\,g) \odot (u + 1))\, W_\text{down} + b_\text{down}, \qquad
    g = \min(x W_\text{gate} + b_\text{gate},\, c), \quad
    u = \mathrm{clip}(x W_\text{up} + b_\text{up},\, -c,\, c)$$

    Attributes:
        hidden: features between the projections.
        limit: the bound $c$.
        use_bias: learn biases in all three projections.
        dropout_rate: share of the hidden features dropped in training.
        dtype: of the computation; None infers it from input and parameters.
        param_dtype: of the parameters.
        kernel_init: of the kernels.
        out_kernel_init: of the projection back; None takes `kernel_init`.

    Raises:
        ValueError: a size below 1, a bound that is not positive, or a rate outside [0, 1).

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import ClampedGatedMLP
        >>> mlp = ClampedGatedMLP(hidden=24)
        >>> sorted(mlp.init(jax.random.key(0), jnp.ones((2, 5, 8)))["params"])
        ['down', 'gate', 'up']

        ```

    References:
        OpenAI, gpt-oss-120b and gpt-oss-20b Model Card, 2025, arXiv:2508.10925.
    """

    hidden: int
    limit: float = 7.0
    use_bias: bool = True
    dropout_rate: float = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    out_kernel_init: Initializer | None = None

    def check_fields(self) -> None:
        """Refuses sizes, bounds and rates that cannot be."""
        _check_fields(self)
        if self.limit <= 0.0:
            raise ValueError(f"limit={self.limit} must be positive; gpt-oss has 7.")

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "*batch embed"]:
        """Transforms every token of `x` alone; `context` is not used."""
        gate = jnp.minimum(_linear(self, self.hidden, "gate", None)(x), self.limit)
        up = jnp.clip(_linear(self, self.hidden, "up", None)(x), -self.limit, self.limit)
        h = nn.Dropout(self.dropout_rate)(quick_gelu(gate) * (up + 1.0), deterministic)
        return _linear(self, x.shape[-1], "down", self.out_kernel_init)(h)
