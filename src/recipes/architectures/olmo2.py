"""OLMo 2: norms on the outputs of sublayers only, and on all of the queries and of the keys.

References:
    OLMo Team, 2 OLMo 2 Furious, 2025, arXiv:2501.00656.
"""

import dataclasses

from blocks import (
    CausalLM,
    FullWidthQKNorm,
    MultiHeadAttention,
    OutputNorm,
    RMSNorm,
    TransformerBlock,
    override,
)
from recipes.architectures import llama
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    norm = RMSNorm(epsilon=config.get("rms_norm_eps", 1e-5))
    model = override(llama.build(config), TransformerBlock, residual=OutputNorm())
    return override(model, MultiHeadAttention, qk=(FullWidthQKNorm(norm=norm),))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    return {
        **llama.names(config),
        f"{ours}/attention/full_width_qk_norm/query": f"{theirs}.self_attn.q_norm",
        f"{ours}/attention/full_width_qk_norm/key": f"{theirs}.self_attn.k_norm",
        f"{ours}/attention_out_norm": f"{theirs}.post_attention_layernorm",
        f"{ours}/mlp_out_norm": f"{theirs}.post_feedforward_layernorm",
    }


FAMILY = dataclasses.replace(
    llama.FAMILY, build=build, names=names, defaults={"rms_norm_eps": 1e-5}
)
register("olmo2", FAMILY)
