"""OLMo: Llama with LayerNorm without parameters, and clipped queries, keys and values.

References:
    Groeneveld et al., OLMo, 2024, arXiv:2402.00838.
"""

import dataclasses

from blocks import CausalLM, LayerNorm, MultiHeadAttention, RMSNorm, override, replace
from blocks.attention import ClipQK, ClipValue
from recipes.architectures import llama
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    norm = LayerNorm(epsilon=1e-5, use_scale=False, use_bias=False)
    model, limit = replace(llama.build(config), RMSNorm, lambda old: norm), config.get("clip_qkv")
    if limit is None:
        return model
    clips = {"qk": (ClipQK(limit=limit),), "values": (ClipValue(limit=limit),)}
    return override(model, MultiHeadAttention, **clips)


FAMILY = dataclasses.replace(llama.FAMILY, build=build)
register("olmo", FAMILY)
