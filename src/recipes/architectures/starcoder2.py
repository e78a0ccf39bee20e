"""StarCoder2: LayerNorm and a plain MLP, biases, grouped queries, rotary positions and a window.

References:
    Lozhkov et al., StarCoder 2 and The Stack v2, 2024, arXiv:2402.19173.
"""

import dataclasses

from blocks import (
    MLP,
    CausalLM,
    GatedMLP,
    LayerNorm,
    MultiHeadAttention,
    RMSNorm,
    TokenEmbedding,
    TransformerBlock,
    override,
    replace,
)
from recipes.architectures import llama
from recipes.architectures.common import activation, causal, head
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    bias, norm = config.get("use_bias", True), LayerNorm(epsilon=config.get("norm_epsilon", 1e-5))
    mlp = MLP(
        hidden=config["intermediate_size"],
        activation=activation(config.get("hidden_act", "gelu_pytorch_tanh")),
        use_bias=bias,
    )
    model = replace(llama.build(config), RMSNorm, lambda old: norm)
    model = replace(model, GatedMLP, lambda old: mlp)
    mask = causal(config.get("sliding_window"))
    model = override(model, MultiHeadAttention, use_bias=bias, mask=mask)
    model = override(model, TransformerBlock, dropout_rate=config.get("residual_dropout", 0.0))
    model = override(model, TokenEmbedding, dropout_rate=config.get("embedding_dropout", 0.0))
    return override(model, CausalLM, head=head(config, tied=True))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}/mlp", "model.layers.{i}.mlp"
    changed = {f"{ours}/up": f"{theirs}.c_fc", f"{ours}/down": f"{theirs}.c_proj"}
    return {**llama.names(config), **changed}


FAMILY = dataclasses.replace(llama.FAMILY, build=build, names=names)
register("starcoder2", FAMILY)
