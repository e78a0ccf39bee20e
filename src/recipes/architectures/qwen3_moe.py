"""Qwen3-MoE: Qwen3 with experts, in all layers or between dense ones.

References:
    Yang et al., Qwen3 Technical Report, 2025, arXiv:2505.09388.
"""

import dataclasses

from blocks import CausalLM
from recipes.architectures import qwen3
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
    return with_mixtures(
        qwen3.build(config), sparse_layers(config), lambda: softmax_mixture(config)
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    experts = expert_names("stack/layer_{i}/mlp", "model.layers.{i}.mlp")
    return {**qwen3.names(config), **experts}


FAMILY = dataclasses.replace(
    qwen3.FAMILY,
    build=build,
    names=names,
    defaults={"num_key_value_heads": 4, "sliding_window": 4096},
)
register("qwen3_moe", FAMILY)
