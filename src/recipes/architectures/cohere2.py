"""Command-R7B: Command-R whose every fourth layer has neither window nor rotation.

References:
    Cohere, Command A, 2025, arXiv:2504.00698.
"""

import dataclasses

from blocks import CausalLM, MultiHeadAttention, override
from recipes.architectures import cohere
from recipes.architectures.common import causal, every, layers
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    model = cohere.build(config)
    kinds = config.get("layer_types", every(config, config.get("sliding_window_pattern", 4)))
    block, window = model.stack.block, config.get("sliding_window", 4096)

    def make(kind: str) -> CausalLM:
        if kind == "sliding_attention":
            return override(block, MultiHeadAttention, mask=causal(window))
        return override(block, MultiHeadAttention, position=None)

    return override(model, CausalLM, stack=layers(kinds, make))


FAMILY = dataclasses.replace(cohere.FAMILY, build=build)
register("cohere2", FAMILY)
