"""Nemotron: LayerNorm whose scale is stored less one, squared ReLU, half of each head rotated.

References:
    Parmar et al., Nemotron-4 15B Technical Report, 2024, arXiv:2402.16819.
"""

import dataclasses

from blocks import CausalLM, LayerNorm, MultiHeadAttention, RMSNorm, override, replace
from recipes.architectures import arcee
from recipes.architectures.common import rotary
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    norm = LayerNorm(epsilon=config.get("norm_eps", 1e-5), unit_offset=True)
    model = replace(arcee.build(config), RMSNorm, lambda old: norm)
    return override(model, MultiHeadAttention, position=rotary(config, fraction=0.5))


FAMILY = dataclasses.replace(arcee.FAMILY, build=build)
register("nemotron", FAMILY)
