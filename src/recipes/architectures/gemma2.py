"""Gemma 2: Gemma with norms around each sublayer, soft caps, and windows in every other layer.

References:
    Gemma Team, Gemma 2, 2024, arXiv:2408.00118.
"""

import dataclasses

from blocks import (
    CausalLM,
    LMHead,
    MultiHeadAttention,
    SandwichNorm,
    SoftCap,
    TransformerBlock,
    override,
)
from recipes.architectures import gemma
from recipes.architectures.common import every, windowed
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    model = override(gemma.build(config), TransformerBlock, residual=SandwichNorm())
    cap = config.get("attn_logit_softcapping")
    model = override(
        model,
        MultiHeadAttention,
        scale=config.get("query_pre_attn_scalar", 256) ** -0.5,
        scores=() if cap is None else (SoftCap(cap=cap),),
    )
    model = override(model, LMHead, logit_cap=config.get("final_logit_softcapping"))
    return windowed(config, config.get("layer_types", every(config, 2)), model)


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    return {
        **gemma.FAMILY.names(config),
        f"{ours}/attention_out_norm": f"{theirs}.post_attention_layernorm",
        f"{ours}/mlp_norm": f"{theirs}.pre_feedforward_layernorm",
        f"{ours}/mlp_out_norm": f"{theirs}.post_feedforward_layernorm",
    }


FAMILY = dataclasses.replace(
    gemma.FAMILY,
    build=build,
    names=names,
    defaults={
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "sliding_window": 4096,
        "num_key_value_heads": 4,
    },
)
register("gemma2", FAMILY)
