"""Experts: many MLPs of one shape, of which each row meets one."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from blocks.base import Block
from blocks.initializers import LECUN_NORMAL
from blocks.introspection.leave import share
from blocks.moe.dispatch import block_size, by_expert, plan
from blocks.typing import Array, Dtype, Float, Initializer, Int, Key, typed


class ExpertKernel(Block, kw_only=True):
    """The kernels of one projection, one for each expert.

    Attributes:
        num_experts: kernels.
        inputs: features that a kernel maps.
        features: that it maps to.
        param_dtype: of the kernels.
        kernel_init: of each of them.
    """

    num_experts: int
    inputs: int
    features: int
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(self) -> Float[Array, "{self.num_experts} {self.inputs} {self.features}"]:
        """Gives them, each drawn as if it were alone."""
        shape = (self.inputs, self.features)

        def draw(key: Key[Array, ""]) -> Array:
            keys = jax.random.split(key, self.num_experts)
            return jnp.stack([self.kernel_init(own, shape, self.param_dtype) for own in keys])

        return self.param("kernel", draw)


class GatedExperts(Block, kw_only=True):
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

    num_experts: int
    hidden: int
    activation: Callable[[Array], Array] = nn.silu
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
        gate = self._kernel("gate", embed, self.hidden)
        up = self._kernel("up", embed, self.hidden)
        down = self._kernel("down", self.hidden, embed)
        x, gate, up, down = promote_dtype(x, gate, up, down, dtype=self.dtype)
        blocks = jnp.zeros((len(at.expert) * size, embed), x.dtype).at[at.place].set(x)
        blocks = blocks.reshape(-1, size, embed)
        with share(rows, len(at.expert) * size):
            results: Array = by_expert(self._gated, (gate, up, down), blocks, at.expert, at.used)
        return results.reshape(-1, embed)[at.place]

    def _gated(self, x: Array, gate: Array, up: Array, down: Array) -> Array:
        return (self.activation(x @ gate) * (x @ up)) @ down

    def _kernel(self, name: str, inputs: int, features: int) -> Array:
        init = self.out_kernel_init if name == "down" else None
        return ExpertKernel(
            num_experts=self.num_experts,
            inputs=inputs,
            features=features,
            param_dtype=self.param_dtype,
            kernel_init=init or self.kernel_init,
            name=name,
        )()
