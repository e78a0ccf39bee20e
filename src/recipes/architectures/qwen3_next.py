"""Qwen3-Next: three layers of the gated delta rule to one of gated attention, with experts.

References:
    Qwen Team, Qwen3-Next, 2025, qwen.ai/blog?id=qwen3-next.
    Yang et al., Gated Delta Networks, 2024, arXiv:2412.06464.
"""

import dataclasses

from blocks import CausalLM
from recipes.architectures import llama
from recipes.architectures.experts import (
    expert_names,
    softmax_mixture,
    sparse_layers,
    with_mixtures,
)
from recipes.architectures.hybrid import attention_names, delta_names, hybrid, kinds
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names, Part


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    model = hybrid(config)
    return with_mixtures(model, sparse_layers(config), lambda: softmax_mixture(config))


def fused_names(config: Config, ours: str, theirs: str) -> Names:
    """Name the projections of the delta rule: each key head has all of its own together."""
    groups = config["linear_num_key_heads"]
    shared = config["linear_num_value_heads"] // groups
    key, value = config["linear_key_head_dim"], shared * config["linear_value_head_dim"]
    fused = {
        "in_proj_qkvz": ((key, key, value, value), ("query", "key", "value", "gate")),
        "in_proj_ba": ((shared, shared), ("beta", "decay")),
    }
    return {
        f"{ours}/{name}": Part(f"{theirs}.{map_}", index=index, sizes=sizes, groups=groups)
        for map_, (sizes, maps) in fused.items()
        for index, name in enumerate(maps)
    }


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    named = {}
    for index, kind in enumerate(kinds(config)):
        ours, theirs = f"stack/layer_{index}/attention", f"model.layers.{index}"
        if kind == "linear_attention":
            named |= delta_names(config, ours, f"{theirs}.linear_attn")
            named |= fused_names(config, ours, f"{theirs}.linear_attn")
        else:
            named |= attention_names(config, ours, f"{theirs}.self_attn")
    experts = expert_names("stack/layer_{i}/mlp", "model.layers.{i}.mlp", shared="shared_expert")
    return {**llama.names(config), **named, **experts}


FAMILY = dataclasses.replace(
    llama.FAMILY,
    build=build,
    names=names,
    defaults={"norm_topk_prob": True, "shared_expert_intermediate_size": 512},
)
register("qwen3_next", FAMILY)
