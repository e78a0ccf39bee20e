"""OLMo 3: OLMo 2 with windows in three of four layers; only the others scale their rotation.

References:
    OLMo Team, Olmo 3, 2025, arXiv:2512.13961.
"""

import dataclasses

from blocks import CausalLM, MultiHeadAttention, override
from recipes.architectures import olmo2
from recipes.architectures.common import causal, every, layers, rotary
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    model, kinds = olmo2.build(config), config.get("layer_types", every(config, 4))
    block, window = model.stack.block, config.get("sliding_window", 4096)

    def make(kind: str) -> CausalLM:
        sliding = kind == "sliding_attention"
        position = rotary(config, kind=kind, theta=5e5)
        if sliding:
            position = override(position, scaling=None)
        return override(
            block, MultiHeadAttention, mask=causal(window if sliding else None), position=position
        )

    return override(model, CausalLM, stack=layers(kinds, make))


FAMILY = dataclasses.replace(olmo2.FAMILY, build=build)
register("olmo3", FAMILY)
