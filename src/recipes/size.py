"""Costs of a GPT before it is built: parameters by part, memory, work per token."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from blocks import summary
from recipes.config import GPTConfig
from recipes.nanogpt import build_gpt
from recipes.trainer.optimizers import build_optimizer
from recipes.trainer.settings import OptimizerSettings

# Category of a parameter, by the first of these words in its part's path.
PARTS = {
    "position": "positions",
    "embed": "embedding",
    "norm": "norms",
    "attention": "attention",
    "mlp": "MLPs",
    "head": "head",
}
FLOAT32 = 4


@dataclass(frozen=True)
class Size:
    r"""The size of a model.

    Attributes:
        parameters: Number of parameters, by part.
        forward_flops: Multiplications and additions to predict one token at the full context:
            two per weight of a matrix, and $4 \cdot \mathrm{layers} \cdot \mathrm{features} \cdot
            \mathrm{context}$ for scores and their products with values, masked ones included.
        cache_bytes: The cache of one sequence of full context: keys and values in the
            precision of the model, and coordinates of their tokens.
        optimizer_bytes: The arrays of the optimiser's state, such as moments and bases.

    References:
        Kaplan et al., Scaling Laws for Neural Language Models, 2020, arXiv:2001.08361, table 1.
        Chowdhery et al., PaLM, 2022, arXiv:2204.02311, appendix B.
    """

    parameters: dict[str, int]
    forward_flops: int
    cache_bytes: int
    optimizer_bytes: int

    @property
    def total(self) -> int:
        """Number of all parameters."""
        return sum(self.parameters.values())

    @property
    def weight_bytes(self) -> int:
        """Bytes of the parameters in float32."""
        return FLOAT32 * self.total

    @property
    def training_bytes(self) -> int:
        """Bytes of parameters, gradients and the optimiser's state, without activations."""
        return 2 * self.weight_bytes + self.optimizer_bytes

    @property
    def training_flops(self) -> int:
        """Operations of forward and backward pass for one token, three times those of forward."""
        return 3 * self.forward_flops


def size_of(config: GPTConfig, optimizer: OptimizerSettings | None = None) -> Size:
    """Compute the size of a model from its shapes; nothing is allocated.

    Args:
        config: The model.
        optimizer: The optimiser; AdamW if left out.

    Example:
        >>> size_of(GPTConfig(vocab_size=50257, use_bias=True, use_qkv_bias=True)).total
        124439808
    """
    model, tokens = build_gpt(config), jax.ShapeDtypeStruct((1, config.context), jnp.int32)
    costs = summary(model, tokens)
    params = jax.eval_shape(model.init, jax.eval_shape(jax.random.key, 0), tokens)["params"]
    init = build_optimizer(optimizer or OptimizerSettings(), max_steps=1).init
    arrays = [leaf for leaf in jax.tree.leaves(jax.eval_shape(init, params)) if leaf.ndim]
    parameters = dict.fromkeys(PARTS.values(), 0)
    for part in costs:
        kind = next((kind for word, kind in PARTS.items() if word in part.path), None)
        if kind is not None:
            parameters[kind] += part.own_parameters
    return Size(
        parameters={part: count for part, count in parameters.items() if count},
        forward_flops=round(costs[""].flops),
        cache_bytes=costs[""].cache_bytes * config.context,
        optimizer_bytes=sum(leaf.size * leaf.dtype.itemsize for leaf in arrays),
    )
