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
    QKNorm,
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
    norm = LayerNorm(epsilon=config.get("layer_norm_eps", 1e-5), use_bias=False)
    model = replace(llama.build(config), RMSNorm, lambda old: norm)
    model = override(model, TransformerBlock, residual=Parallel())
    position = rotary(config, interleaved=True, theta=5e5)
    heads = (QKNorm(norm=norm, shared=False),) if config.get("use_qk_norm", False) else ()
    model = override(model, MultiHeadAttention, position=position, qk=heads)
    model = override(model, CausalLM, head=head(config, tied=True))
    return override(model, LMHead, logit_scale=config.get("logit_scale", 0.0625))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}/attention/qk_norm", "model.layers.{i}.self_attn"
    return {
        **llama.names(config),
        "stack/layer_{i}/input_norm": "model.layers.{i}.input_layernorm",
        f"{ours}/query/scale": f"{theirs}.q_norm.weight",
        f"{ours}/key/scale": f"{theirs}.k_norm.weight",
    }


FAMILY = dataclasses.replace(llama.FAMILY, build=build, names=names)
register("cohere", FAMILY)
