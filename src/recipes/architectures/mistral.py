"""Mistral: Llama with a sliding window.

References:
    Jiang et al., Mistral 7B, 2023, arXiv:2310.06825.
"""

import dataclasses

from blocks import CausalLM, MultiHeadAttention, override
from recipes.architectures import llama
from recipes.architectures.common import causal
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    mask = causal(config.get("sliding_window"))
    return override(llama.build(config), MultiHeadAttention, mask=mask)


FAMILY = dataclasses.replace(llama.FAMILY, build=build, defaults={"sliding_window": 4096})
register("mistral", FAMILY)
