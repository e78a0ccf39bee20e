"""DeepSeek-V2: latent attention, experts chosen within groups, first layers dense.

References:
    DeepSeek-AI, DeepSeek-V2, 2024, arXiv:2405.04434.
"""

import dataclasses
import math
from typing import Any

from blocks import (
    CausalLM,
    LatentAttention,
    MixtureOfExperts,
    MultiHeadAttention,
    RMSNorm,
    SoftmaxRouter,
    replace,
)
from recipes.architectures import llama
from recipes.architectures.common import causal, mscale, rotary, rotary_fields
from recipes.architectures.experts import expert_names, gated, number_of_experts, with_mixtures
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names, Part


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.only("norm_topk_prob", False)
    groups = config.get("topk_method", "greedy") == "group_limited_greedy"
    config.only("topk_method", "greedy", "group_limited_greedy")
    num_groups, top_groups = config.get("n_group", 1), config.get("topk_group", 1)

    def mixture() -> MixtureOfExperts:
        return MixtureOfExperts(
            router=SoftmaxRouter(
                num_experts=number_of_experts(config),
                top_k=config["num_experts_per_tok"],
                renormalize=False,
                scale=config.get("routed_scaling_factor", 1.0),
                num_groups=num_groups if groups else 1,
                top_groups=top_groups if groups else 1,
            ),
            expert=gated(config, config["moe_intermediate_size"]),
            shared=gated(
                config,
                config["moe_intermediate_size"] * config["n_shared_experts"],
                use_bias=config.get("mlp_bias", False),
            ),
        )

    model, attention = llama.build(config), latent_attention(config)
    model = replace(model, MultiHeadAttention, lambda old: attention)
    return with_mixtures(model, sparse_layers(config), mixture)


def sparse_layers(config: Config) -> list[bool]:
    """Which layers have experts: all but the first few."""
    dense, depth = config.get("first_k_dense_replace", 0), config["num_hidden_layers"]
    return [index >= dense for index in range(depth)]


def latent_attention(config: Config, **options: Any) -> LatentAttention:
    """Build latent attention, whose norms have an epsilon of their own."""
    content, turned = config["qk_nope_head_dim"], config["qk_rope_head_dim"]
    config.ignore("num_key_value_heads", "head_dim", "qk_head_dim")
    position = rotary(config, interleaved=True)
    rope = rotary_fields(config)
    stretch = mscale(rope.get("factor", 1.0), rope.get("mscale_all_dim") or 0.0)
    fields = {
        "num_heads": config["num_attention_heads"],
        "head_dim": content,
        "rope_dim": turned,
        "kv_rank": config["kv_lora_rank"],
        "q_rank": config.get("q_lora_rank"),
        "value_dim": config["v_head_dim"],
        "position": position,
        "norm": RMSNorm(epsilon=1e-6),
        "mask": causal(),
        "scale": stretch**2 / math.sqrt(content + turned),
        "use_bias": config.get("attention_bias", False),
        "dropout_rate": config.get("attention_dropout", 0.0),
    }
    return LatentAttention(**{**fields, **options})


def latent_names(config: Config, ours: str, theirs: str) -> Names:
    """Name the weights of latent attention: what comes down from the input and up is fused."""
    heads, rope = config["num_attention_heads"], config["qk_rope_head_dim"]
    down = (config["kv_lora_rank"], rope)
    up = (config["qk_nope_head_dim"], config["v_head_dim"])
    return {
        f"{ours}/query": f"{theirs}.q_proj",
        f"{ours}/query_down": f"{theirs}.q_a_proj",
        f"{ours}/query_norm": f"{theirs}.q_a_layernorm",
        f"{ours}/query_up": f"{theirs}.q_b_proj",
        f"{ours}/kv_down": Part(f"{theirs}.kv_a_proj_with_mqa", index=0, sizes=down),
        f"{ours}/key_rope": Part(f"{theirs}.kv_a_proj_with_mqa", index=1, sizes=down),
        f"{ours}/kv_norm": f"{theirs}.kv_a_layernorm",
        f"{ours}/key_up": Part(f"{theirs}.kv_b_proj", index=0, sizes=up, groups=heads),
        f"{ours}/value_up": Part(f"{theirs}.kv_b_proj", index=1, sizes=up, groups=heads),
        f"{ours}/out": f"{theirs}.o_proj",
    }


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    return {
        **llama.names(config),
        **latent_names(config, f"{ours}/attention", f"{theirs}.self_attn"),
        **expert_names(f"{ours}/mlp", f"{theirs}.mlp"),
        f"{ours}/mlp/router/bias": f"{theirs}.mlp.gate.e_score_correction_bias",
    }


FAMILY = dataclasses.replace(llama.FAMILY, build=build, names=names, defaults={"q_lora_rank": 1536})
register("deepseek_v2", FAMILY)
