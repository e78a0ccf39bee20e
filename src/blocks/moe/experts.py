"""Experts: many MLPs of one shape, of which each row meets one."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.core.block import Block
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, Int, Key, typed
from blocks.introspection.leave import share
from blocks.mlp.activations import quick_gelu
from blocks.moe.dispatch import block_size, by_expert, plan


class ExpertLinear(Block, kw_only=True):
    """The parameters of one projection, for each expert its own.

    Attributes:
        num_experts: of them.
        inputs: features that a kernel maps.
        features: that it maps to.
        use_bias: learn biases as well.
        param_dtype: of the parameters.
        kernel_init: of each kernel.
    """

    num_experts: int
    inputs: int
    features: int
    use_bias: bool = False
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    def __call__(self) -> tuple[Array, ...]:
        """Gives the kernels, each drawn as if it were alone, and the biases where there are any."""
        shape = (self.inputs, self.features)

        def draw(key: Key[Array, ""]) -> Array:
            keys = jax.random.split(key, self.num_experts)
            return jnp.stack([self.kernel_init(own, shape, self.param_dtype) for own in keys])

        kernel = self.param("kernel", draw)
        if not self.use_bias:
            return (kernel,)
        biases = (self.num_experts, self.features)
        return kernel, self.param("bias", nn.initializers.zeros, biases, self.param_dtype)


class Experts(Block, kw_only=True):
    """What experts are: MLPs of one shape with a gate, each on the rows that are sent to it.

    Attributes:
        num_experts: of them.
        hidden: features between the projections of one.
        dtype: of the computation; None infers it from input and parameters.
        param_dtype: of the parameters.
        kernel_init: of the kernels, each expert's drawn alone.
        out_kernel_init: of the projections back; None takes `kernel_init`.

    Raises:
        ValueError: a size below 1.
    """

    num_experts: int
    hidden: int
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    out_kernel_init: Initializer | None = None

    def check_fields(self) -> None:
        """Refuses sizes that cannot be."""
        for name in ("num_experts", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1.")

    @nn.compact
    @typed
    def __call__(
        self, x: Float[Array, "rows embed"], experts: Int[Array, "rows"]
    ) -> Float[Array, "rows embed"]:
        """Gives each row to the expert of its number."""
        rows, embed = x.shape
        size = block_size(rows, self.num_experts)
        at = plan(experts, self.num_experts, size)
        parameters = (
            *self._linear("gate", embed, self.hidden),
            *self._linear("up", embed, self.hidden),
            *self._linear("down", self.hidden, embed),
        )
        x, *parameters = promote_dtype(x, *parameters, dtype=self.dtype)
        blocks = jnp.zeros((len(at.expert) * size, embed), x.dtype).at[at.place].set(x)
        blocks = blocks.reshape(-1, size, embed)
        with share(rows, len(at.expert) * size):
            results: Array = by_expert(self._mlp, tuple(parameters), blocks, at.expert, at.used)
        return results.reshape(-1, embed)[at.place]

    def _linear(self, name: str, inputs: int, features: int) -> tuple[Array, ...]:
        init = self.out_kernel_init if name == "down" else None
        return ExpertLinear(
            num_experts=self.num_experts,
            inputs=inputs,
            features=features,
            use_bias=self._biased(),
            param_dtype=self.param_dtype,
            kernel_init=init or self.kernel_init,
            name=name,
        )()

    def _biased(self) -> bool:
        return False

    def _mlp(self, x: Array, *parameters: Array) -> Array:
        """One expert on its rows; it is given the parameters of gate, up and down in order."""
        raise TypeError(f"{type(self).__name__} computes nothing: give it a method `_mlp`.")


class GatedExperts(Experts, kw_only=True):
    r"""A `GatedMLP` for each expert, on the rows that are sent to it.

    $$y = (\phi(x W_{\text{gate}, e}) \odot x W_{\text{up}, e})\, W_{\text{down}, e}$$

    Attributes:
        num_experts: of them.
        hidden: features between the projections of one.
        activation: the function $\phi$ of the gate.
        dtype: of the computation; None infers it from input and parameters.
        param_dtype: of the parameters.
        kernel_init: of the kernels, each expert's drawn alone.
        out_kernel_init: of the projections back; None takes `kernel_init`.

    Raises:
        ValueError: a size below 1.

    References:
        Jiang et al., Mixtral of Experts, 2024, arXiv:2401.04088.
    """

    activation: Callable[[Array], Array] = nn.silu

    def _mlp(self, x: Array, *parameters: Array) -> Array:
        gate, up, down = parameters
        return (self.activation(x @ gate) * (x @ up)) @ down


class ClampedGatedExperts(Experts, kw_only=True):
    r"""A `ClampedGatedMLP` for each expert, on the rows that are sent to it, as in gpt-oss.

    $$y = (g\,\sigma(1.702\,g) \odot (u + 1))\, W_{\text{down}, e} + b_{\text{down}, e}, \qquad
    g = \min(x W_{\text{gate}, e} + b_{\text{gate}, e},\, c), \quad
    u = \mathrm{clip}(x W_{\text{up}, e} + b_{\text{up}, e},\, -c,\, c)$$

    Attributes:
        num_experts: of them.
        hidden: features between the projections of one.
        limit: the bound $c$.
        dtype: of the computation; None infers it from input and parameters.
        param_dtype: of the parameters.
        kernel_init: of the kernels, each expert's drawn alone.
        out_kernel_init: of the projections back; None takes `kernel_init`.

    Raises:
        ValueError: a size below 1, or a bound that is not positive.

    Example:
        ```python
        >>> from blocks import ClampedGatedExperts, MixtureOfExperts, SoftmaxRouter
        >>> mixture = MixtureOfExperts(
        ...     router=SoftmaxRouter(num_experts=32, top_k=4, use_bias=True),
        ...     experts=ClampedGatedExperts(num_experts=32, hidden=2880),
        ... )

        ```

    References:
        OpenAI, gpt-oss-120b and gpt-oss-20b Model Card, 2025, arXiv:2508.10925.
    """

    limit: float = 7.0

    def check_fields(self) -> None:
        """Refuses sizes and bounds that cannot be."""
        super().check_fields()
        if self.limit <= 0.0:
            raise ValueError(f"limit={self.limit} must be positive; gpt-oss has 7.")

    def _biased(self) -> bool:
        return True

    def _mlp(self, x: Array, *parameters: Array) -> Array:
        gate, gate_bias, up, up_bias, down, down_bias = parameters
        gate = jnp.minimum(x @ gate + gate_bias[None], self.limit)
        up = jnp.clip(x @ up + up_bias[None], -self.limit, self.limit)
        return (quick_gelu(gate) * (up + 1.0)) @ down + down_bias[None]
