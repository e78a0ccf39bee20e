"""OLMoE: experts in each layer, norms of all of the queries and of the keys, and clipping.

References:
    Muennighoff et al., OLMoE, 2024, arXiv:2409.02060.
"""

import dataclasses

from blocks import (
    CausalLM,
    FullWidthQKNorm,
    MixtureOfExperts,
    MultiHeadAttention,
    RMSNorm,
    SoftmaxRouter,
    TransformerBlock,
    override,
)
from blocks.attention import ClipQK, ClipValue
from recipes.architectures import llama
from recipes.architectures.experts import expert_names, gated, number_of_experts
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    norm, limit = RMSNorm(epsilon=config.get("rms_norm_eps", 1e-5)), config.get("clip_qkv")
    mixture = MixtureOfExperts(
        router=SoftmaxRouter(
            num_experts=number_of_experts(config),
            top_k=config["num_experts_per_tok"],
            renormalize=config.get("norm_topk_prob", False),
        ),
        expert=gated(config, config["intermediate_size"]),
    )
    return override(
        override(llama.build(config), TransformerBlock, mlp=mixture),
        MultiHeadAttention,
        qk=(FullWidthQKNorm(norm=norm), *((ClipQK(limit=limit),) if limit else ())),
        values=(ClipValue(limit=limit),) if limit else (),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    return {
        **llama.names(config),
        f"{ours}/attention/full_width_qk_norm/query": f"{theirs}.self_attn.q_norm",
        f"{ours}/attention/full_width_qk_norm/key": f"{theirs}.self_attn.k_norm",
        **expert_names(f"{ours}/mlp", f"{theirs}.mlp"),
    }


FAMILY = dataclasses.replace(
    llama.FAMILY, build=build, names=names, defaults={"rms_norm_eps": 1e-5}
)
register("olmoe", FAMILY)
