"""Seed-OSS: Llama with biases on queries, keys and values.

References:
    ByteDance Seed Team, Seed-OSS, 2025, github.com/ByteDance-Seed/seed-oss.
"""

import dataclasses

from blocks import Biases, CausalLM, MultiHeadAttention, TransformerBlock, override
from recipes.architectures import llama
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    bias = config.get("attention_bias", True)
    biases = Biases(bias, bias, bias, config.get("attention_out_bias", False))
    model = override(llama.build(config), MultiHeadAttention, use_bias=biases)
    model = override(model, MultiHeadAttention, head_dim=config.get("head_dim", 128))
    return override(model, TransformerBlock, dropout_rate=config.get("residual_dropout", 0.1))


FAMILY = dataclasses.replace(llama.FAMILY, build=build, defaults={"attention_dropout": 0.1})
register("seed_oss", FAMILY)
