"""GLM-4: Llama with norms around each sublayer, and an interleaved rotation of half of each head.

References:
    GLM Team, ChatGLM: From GLM-130B to GLM-4 All Tools, 2024, arXiv:2406.12793.
"""

import dataclasses

from blocks import Biases, CausalLM, MultiHeadAttention, SandwichNorm, TransformerBlock, override
from recipes.architectures import llama
from recipes.architectures.common import gate_up, rotary
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    bias = config.get("attention_bias", True)
    model = override(llama.build(config), TransformerBlock, residual=SandwichNorm())
    return override(
        model,
        MultiHeadAttention,
        position=rotary(config, interleaved=True, fraction=0.5),
        use_bias=Biases(bias, bias, bias, out=False),
        head_dim=config.get("head_dim", 128),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    return {
        **llama.names(config),
        **gate_up(f"{ours}/mlp", f"{theirs}.mlp.gate_up_proj", config["intermediate_size"]),
        f"{ours}/attention_out_norm": f"{theirs}.post_self_attn_layernorm",
        f"{ours}/mlp_out_norm": f"{theirs}.post_mlp_layernorm",
    }


FAMILY = dataclasses.replace(
    llama.FAMILY,
    build=build,
    names=names,
    defaults={"rms_norm_eps": 1.5625e-7, "num_key_value_heads": 2},
)
register("glm4", FAMILY)
