"""Qwen2: Llama with biases on queries, keys and values, and windows in its later layers.

References:
    Yang et al., Qwen2 Technical Report, 2024, arXiv:2407.10671.
"""

import dataclasses

from blocks import Biases, CausalLM, MultiHeadAttention, override
from recipes.architectures import llama
from recipes.architectures.common import windowed
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    model = windowed(config, kinds(config), llama.build(config))
    return override(model, MultiHeadAttention, use_bias=Biases(out=False))


def kinds(config: Config) -> list[str]:
    """Kind of each layer: those from `max_window_layers` on have a window, where it is used."""
    depth, first = config["num_hidden_layers"], config.get("max_window_layers", 28)
    if not config.get("use_sliding_window", False):
        first = depth
    usual = ["full_attention" if i < first else "sliding_attention" for i in range(depth)]
    return config.get("layer_types", usual)


FAMILY = dataclasses.replace(llama.FAMILY, build=build, defaults={"sliding_window": 4096})
register("qwen2", FAMILY)
