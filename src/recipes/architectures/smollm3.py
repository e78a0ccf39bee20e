"""SmolLM3: Llama without rotation in every fourth layer.

References:
    Bakouche et al., SmolLM3, 2025, huggingface.co/blog/smollm3.
    Yang et al., RoPE to NoPE and Back Again, 2025, arXiv:2501.18795.
"""

import dataclasses

from blocks import CausalLM, MultiHeadAttention, override
from recipes.architectures import llama
from recipes.architectures.common import causal, head, layers, rotary
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    model, depth = llama.build(config), config["num_hidden_layers"]
    every = config.get("no_rope_layer_interval", 4)
    rotates = config.get("no_rope_layers", [(i + 1) % every != 0 for i in range(depth)])
    sliding = config.get("use_sliding_window", False)
    kinds = config.get("layer_types", ["full_attention"] * depth)
    window, block = config.get("sliding_window"), model.stack.block

    def make(kind: tuple[bool, str]) -> CausalLM:
        narrow = sliding and kind[1] == "sliding_attention"
        return override(
            block,
            MultiHeadAttention,
            position=rotary(config, theta=2e6) if kind[0] else None,
            mask=causal(window if narrow else None),
        )

    pairs = [(bool(turns), kind) for turns, kind in zip(rotates, kinds, strict=True)]
    return override(model, CausalLM, stack=layers(pairs, make), head=head(config, tied=True))


FAMILY = dataclasses.replace(llama.FAMILY, build=build, defaults={"num_key_value_heads": 4})
register("smollm3", FAMILY)
