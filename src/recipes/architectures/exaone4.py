"""Exaone 4: norms on outputs and of each head, windows with rotation, and full layers without.

References:
    LG AI Research, EXAONE 4.0, 2025, arXiv:2507.11407.
"""

import dataclasses

from blocks import CausalLM, MultiHeadAttention, QKNorm, RMSNorm, override
from recipes.architectures import olmo2
from recipes.architectures.common import causal, every, layers
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    norm = RMSNorm(epsilon=config.get("rms_norm_eps", 1e-5))
    model = override(olmo2.build(config), MultiHeadAttention, qk=(QKNorm(norm=norm),))
    pattern, window = config.get("sliding_window_pattern", 4), config.get("sliding_window")
    kinds = config.get("layer_types", every(config, pattern))
    block = model.stack.block

    def make(kind: str) -> CausalLM:
        if kind == "sliding_attention":
            return override(block, MultiHeadAttention, mask=causal(window))
        return block if window is None else override(block, MultiHeadAttention, position=None)

    return override(model, CausalLM, stack=layers(kinds, make))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}/attention/qk_norm", "model.layers.{i}.self_attn"
    heads = {f"{ours}/query": f"{theirs}.q_norm", f"{ours}/key": f"{theirs}.k_norm"}
    return {**olmo2.names(config), **heads}


FAMILY = dataclasses.replace(
    olmo2.FAMILY, build=build, names=names, defaults={"rms_norm_eps": 1e-5, "sliding_window": 4096}
)
register("exaone4", FAMILY)
