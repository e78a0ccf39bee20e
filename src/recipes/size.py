"""What a GPT costs before it is built: parameters by part, memory, work per token."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from recipes.nanogpt import GPTConfig, build_gpt

# Where a parameter belongs, by the first word that its path holds.
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
        parameters: How many there are, by part.
        forward_flops: Multiplications and additions to predict one token at the full context:
            two per weight of a matrix, and $4 \cdot \mathrm{layers} \cdot \mathrm{features} \cdot
            \mathrm{context}$ for scores and mixing, as they are computed, masked ones included.
        cache_bytes: Keys and values of one sequence of full context, in float32.

    References:
        Kaplan et al., Scaling Laws for Neural Language Models, 2020, arXiv:2001.08361, table 1.
        Chowdhery et al., PaLM, 2022, arXiv:2204.02311, appendix B.
    """

    parameters: dict[str, int]
    forward_flops: int
    cache_bytes: int

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.parameters.values())

    @property
    def weight_bytes(self) -> int:
        """The parameters in float32."""
        return FLOAT32 * self.total

    @property
    def training_bytes(self) -> int:
        """Parameters, gradients and AdamW's two moments; activations come on top."""
        return 4 * self.weight_bytes

    @property
    def training_flops(self) -> int:
        """Forward and backward pass for one token; the backward pass costs two forward ones."""
        return 3 * self.forward_flops


def size_of(config: GPTConfig) -> Size:
    """Counts a model from the shapes of its parameters; nothing is allocated.

    Example:
        >>> size_of(GPTConfig(vocab_size=50257, use_bias=True, use_qkv_bias=True)).total
        124439808
    """
    model = build_gpt(config)
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    variables = jax.eval_shape(model.init, jax.random.key(0), tokens)
    parameters = dict.fromkeys(PARTS.values(), 0)
    matrices = 0
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables["params"]):
        names = jax.tree_util.keystr(path)
        part = next(part for word, part in PARTS.items() if word in names)
        parameters[part] += math.prod(leaf.shape)
        if part in ("attention", "MLPs", "head") and names.endswith("['kernel']"):
            matrices += math.prod(leaf.shape)
    if config.tied_head:
        matrices += parameters["embedding"]
    attention = 4 * config.num_layers * config.features * config.context
    return Size(
        parameters={part: count for part, count in parameters.items() if count},
        forward_flops=2 * matrices + attention,
        cache_bytes=2 * FLOAT32 * config.num_layers * config.features * config.context,
    )
