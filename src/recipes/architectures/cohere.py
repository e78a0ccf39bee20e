"""Command-R: parallel sublayers with one norm, interleaved rotation, scaled logits.

References:
    Cohere, Command R, 2024, huggingface.co/CohereLabs/c4ai-command-r-v01.
"""

import dataclasses

from blocks import (
    CausalLM,
    LayerNorm,
    LMHead,
    MultiHeadAttention,
    Parallel,
    RMSNorm,
    TransformerBlock,
    override,
    replace,
)
from recipes.architectures import llama
from recipes.architectures.common import head, rotary
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.only("use_qk_norm", False)
    norm = LayerNorm(epsilon=config.get("layer_norm_eps", 1e-5), use_bias=False)
    model = replace(llama.build(config), RMSNorm, lambda old: norm)
    model = override(model, TransformerBlock, residual=Parallel())
    position = rotary(config, interleaved=True, theta=5e5)
    model = override(model, MultiHeadAttention, position=position)
    model = override(model, CausalLM, head=head(config, tied=True))
    return override(model, LMHead, logit_scale=config.get("logit_scale", 0.0625))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    return {**llama.names(config), "stack/layer_{i}/input_norm": "model.layers.{i}.input_layernorm"}


FAMILY = dataclasses.replace(llama.FAMILY, build=build, names=names)
register("cohere", FAMILY)
