"""Granite: Llama with constant factors on embedding, attention, residual branches and logits.

References:
    IBM, Granite 3.0 Language Models, 2024, github.com/ibm-granite/granite-3.0-language-models.
"""

import dataclasses

from blocks import (
    CausalLM,
    LMHead,
    MultiHeadAttention,
    TokenEmbedding,
    TransformerBlock,
    override,
)
from blocks.residual import ScaledResidual
from recipes.architectures import llama
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    model, residual = llama.build(config), ScaledResidual(scale=config["residual_multiplier"])
    model = override(model, TransformerBlock, residual=residual)
    model = override(model, MultiHeadAttention, scale=config["attention_multiplier"])
    model = override(model, TokenEmbedding, embedding_scale=config["embedding_multiplier"])
    return override(model, LMHead, logit_scale=1.0 / config["logits_scaling"])


FAMILY = dataclasses.replace(llama.FAMILY, build=build)
register("granite", FAMILY)
