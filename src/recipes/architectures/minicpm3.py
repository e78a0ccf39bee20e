"""MiniCPM3: latent attention, and constant factors on embedding, branches and logits.

References:
    Hu et al., MiniCPM, 2024, arXiv:2404.06395.
"""

import dataclasses
import math

from blocks import (
    CausalLM,
    LMHead,
    MultiHeadAttention,
    TokenEmbedding,
    TransformerBlock,
    override,
    replace,
)
from blocks.residual import ScaledResidual
from recipes.architectures import llama
from recipes.architectures.common import head, rotary
from recipes.architectures.deepseek_v2 import latent_attention, latent_names
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    attention = latent_attention(config, position=rotary(config))
    model = replace(llama.build(config), MultiHeadAttention, lambda old: attention)
    scale = config.get("scale_depth", 1.4) / math.sqrt(config["num_hidden_layers"])
    model = override(model, TransformerBlock, residual=ScaledResidual(scale=scale))
    model = override(model, TokenEmbedding, embedding_scale=float(config.get("scale_emb", 12)))
    model = override(model, CausalLM, head=head(config, tied=True))
    return override(
        model, LMHead, logit_scale=config.get("dim_model_base", 256) / config["hidden_size"]
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}/attention", "model.layers.{i}.self_attn"
    return {**llama.names(config), **latent_names(config, ours, theirs)}


FAMILY = dataclasses.replace(
    llama.FAMILY, build=build, names=names, defaults={"rms_norm_eps": 1e-5, "q_lora_rank": 768}
)
register("minicpm3", FAMILY)
