"""Qwen3.5 (text): Qwen3-Next with dense MLPs, and projections of the delta rule kept apart.

References:
    Qwen Team, Qwen3.5, 2026, qwen.ai/blog?id=qwen3.5.
"""

import dataclasses

from recipes.architectures import llama
from recipes.architectures.hybrid import (
    attention_names,
    delta_names,
    delta_sizes,
    hybrid,
    kinds,
)
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names, Part


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    named, sizes = {}, delta_sizes(config)
    for index, kind in enumerate(kinds(config)):
        ours, theirs = f"stack/layer_{index}/attention", f"model.layers.{index}"
        if kind != "linear_attention":
            named |= attention_names(config, ours, f"{theirs}.self_attn")
            continue
        linear = f"{theirs}.linear_attn"
        named |= delta_names(config, ours, linear)
        for part, name in enumerate(("query", "key", "value")):
            named[f"{ours}/{name}"] = Part(f"{linear}.in_proj_qkv", index=part, sizes=sizes)
        maps = {"gate": "in_proj_z", "beta": "in_proj_b", "decay": "in_proj_a"}
        named |= {f"{ours}/{name}": f"{linear}.{map_}" for name, map_ in maps.items()}
    return {**llama.names(config), **named}


FAMILY = dataclasses.replace(
    llama.FAMILY, build=hybrid, names=names, defaults={"num_key_value_heads": 4}
)
register("qwen3_5_text", FAMILY)
