"""`BaseMLP`: the fields, the projections and the dropout that all MLPs have."""

from collections.abc import Callable
from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import Rate, at_least
from blocks.core.drop import drop
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear


class BaseMLP(Block, kw_only=True):
    r"""Base class for MLPs: hidden features $h$ of each token, projected back to its width.

    $$y = h(x)\, W_\text{down} + b_\text{down}$$

    Subclasses compute the features in `hidden_features`.

    Attributes:
        hidden: number of hidden features.
        activation: the nonlinearity $\phi$: a function of an array, or a block that learns one,
            whose parameters are then named `activation`.
        use_bias: learn biases in all projections.
        dropout_rate: dropout probability on the hidden features.
        dtype: dtype of the computation; None infers it from input and parameters.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the weights.
        out_kernel_init: initialiser of the weights of `down`; None takes `kernel_init`.

    Raises:
        ValueError: a size below 1 or a rate outside [0, 1).

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks.mlp.base import BaseMLP
        >>> class BilinearMLP(BaseMLP, kw_only=True):
        ...     def hidden_features(self, x):
        ...         return self.project("gate", x) * self.project("up", x)
        >>> BilinearMLP(hidden=32, activation=jnp.tanh).init_with_output(
        ...     jax.random.key(0), jnp.ones((2, 5, 8)))[0].shape
        (2, 5, 8)

        ```
    """

    hidden: Annotated[int, at_least(1, "; 4 * embed is usual")]
    activation: Callable[[Array], Array]
    use_bias: bool = True
    dropout_rate: Rate = 0.0
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    out_kernel_init: Initializer | None = None

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "*batch embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "*batch embed"]:
        """Transform each token of `x` independently; `context` is not used."""
        h = drop(self, self.hidden_features(x), self.dropout_rate, deterministic)
        return self._linear("down", x.shape[-1], self.out_kernel_init)(h)

    def hidden_features(self, x: Float[Array, "*batch embed"]) -> Float[Array, "*batch hidden"]:
        """Compute the hidden features, from projections and the activation."""
        raise TypeError(f"{type(self).__name__} has no `hidden_features`: define the method.")

    def project(self, name: str, x: Float[Array, "*batch embed"]) -> Float[Array, "*batch hidden"]:
        """Project to the hidden features, with parameters under `name`."""
        return self._linear(name, self.hidden, None)(x)

    def activate(self, h: Float[Array, "*batch hidden"]) -> Float[Array, "*batch hidden"]:
        """Apply the activation, in whatever dtype it computes, and return to that of `h`."""
        return self.activation(h).astype(h.dtype)

    def _linear(self, name: str, features: int, init: Initializer | None) -> Linear:
        return Linear(
            features=(features,),
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=init or self.kernel_init,
            name=name,
        )
