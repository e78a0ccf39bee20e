"""Gemma 3: Gemma 2 with norms of queries and keys, and a rotation for each kind of layer.

References:
    Gemma Team, Gemma 3 Technical Report, 2025, arXiv:2503.19786.
"""

import dataclasses

from blocks import CausalLM, MultiHeadAttention, QKNorm, RMSNorm, override
from recipes.architectures import gemma2, qwen3
from recipes.architectures.common import causal, every, layers, rotary
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    norm = RMSNorm(epsilon=config.get("rms_norm_eps", 1e-6), unit_offset=True)
    model = override(gemma2.build(config), MultiHeadAttention, qk=(QKNorm(norm=norm),))
    config.ignore("_sliding_window_pattern")  # It has become `layer_types`.
    usual = every(config, config.get("sliding_window_pattern", 6))
    kinds, window = config.get("layer_types", usual), config.get("sliding_window", 4096)
    block = model.stack.block[0] if isinstance(model.stack.block, tuple) else model.stack.block
    local = config.get("rope_local_base_freq", 10_000.0)

    def make(kind: str) -> CausalLM:
        if kind == "full_attention":
            position = rotary(config, kind=kind, theta=1e6)
            return override(block, MultiHeadAttention, mask=causal(), position=position)
        position = rotary(config, kind=kind, theta=local)
        if "rope_parameters" not in config:
            position = override(position, theta=local, scaling=None)
        return override(block, MultiHeadAttention, mask=causal(window), position=position)

    return override(model, CausalLM, stack=layers(kinds, make))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    return {**qwen3.names(config), **gemma2.names(config)}


FAMILY = dataclasses.replace(
    gemma2.FAMILY, build=build, names=names, defaults={"num_key_value_heads": 4}
)
register("gemma3_text", FAMILY)
