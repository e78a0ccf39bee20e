"""Qwen2-MoE: Qwen2 with experts and a shared expert that each token gates.

References:
    Yang et al., Qwen2 Technical Report, 2024, arXiv:2407.10671, section 2.2.
"""

import dataclasses

from blocks import Biases, CausalLM, MultiHeadAttention, override
from recipes.architectures import qwen2
from recipes.architectures.experts import (
    expert_names,
    softmax_mixture,
    sparse_layers,
    with_mixtures,
)
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    model = with_mixtures(
        qwen2.build(config), sparse_layers(config), lambda: softmax_mixture(config)
    )
    bias = config.get("qkv_bias", True)
    return override(model, MultiHeadAttention, use_bias=Biases(bias, bias, bias, out=False))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}/mlp", "model.layers.{i}.mlp"
    return {**qwen2.FAMILY.names(config), **expert_names(ours, theirs, shared="shared_expert")}


FAMILY = dataclasses.replace(qwen2.FAMILY, build=build, names=names)
register("qwen2_moe", FAMILY)
