"""Phi-3: Llama whose projections are fused in its weights, with LongRoPE and a window.

References:
    Abdin et al., Phi-3 Technical Report, 2024, arXiv:2404.14219.
"""

import dataclasses

from blocks import CausalLM, MultiHeadAttention, TokenEmbedding, TransformerBlock, override
from recipes.architectures import llama
from recipes.architectures.common import causal, fused_qkv, gate_up, rotary
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    mask = causal(config.get("sliding_window"))
    position = rotary(config, fraction=1.0)
    model = override(llama.build(config), MultiHeadAttention, mask=mask, position=position)
    model = override(model, TransformerBlock, dropout_rate=config.get("resid_pdrop", 0.0))
    return override(model, TokenEmbedding, dropout_rate=config.get("embd_pdrop", 0.0))


def names(config: Config) -> Names:
    """Name the weights as the reference does: queries, keys and values are one matrix."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim", config["hidden_size"] // heads)
    keys = config.get("num_key_value_heads", heads) * head_dim
    sizes = (heads * head_dim, keys, keys)
    fused = fused_qkv(f"{ours}/attention", f"{theirs}.self_attn.qkv_proj", sizes)
    gated = gate_up(f"{ours}/mlp", f"{theirs}.mlp.gate_up_proj", config["intermediate_size"])
    return {**llama.names(config), **fused, **gated}


FAMILY = dataclasses.replace(
    llama.FAMILY, build=build, names=names, defaults={"rms_norm_eps": 1e-5}
)
register("phi3", FAMILY)
