"""Llama: RMSNorm before each sublayer, gated MLP, grouped queries, rotary positions.

References:
    Touvron et al., Llama 2, 2023, arXiv:2307.09288.
    Grattafiori et al., The Llama 3 Herd of Models, 2024, arXiv:2407.21783.
"""

from blocks import (
    Causal,
    CausalLM,
    GatedMLP,
    MultiHeadAttention,
    RMSNorm,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.architectures.common import activation, head, rotary
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    norm = RMSNorm(epsilon=config.get("rms_norm_eps", 1e-6))
    return CausalLM(
        embed=TokenEmbedding(vocab_size=config["vocab_size"], features=config["hidden_size"]),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config["num_attention_heads"],
                    num_kv_heads=config.get("num_key_value_heads"),
                    head_dim=config.get("head_dim"),
                    position=rotary(config),
                    mask=Causal(),
                    use_bias=config.get("attention_bias", False),
                    dropout_rate=config.get("attention_dropout", 0.0),
                ),
                mlp=GatedMLP(
                    hidden=config["intermediate_size"],
                    activation=activation(config.get("hidden_act", "silu")),
                    use_bias=config.get("mlp_bias", False),
                ),
                norm=norm,
            ),
            depth=config["num_hidden_layers"],
        ),
        norm=norm,
        head=head(config),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    return {
        "embed": "model.embed_tokens",
        f"{ours}/attention_norm": f"{theirs}.input_layernorm",
        f"{ours}/attention/query": f"{theirs}.self_attn.q_proj",
        f"{ours}/attention/key": f"{theirs}.self_attn.k_proj",
        f"{ours}/attention/value": f"{theirs}.self_attn.v_proj",
        f"{ours}/attention/out": f"{theirs}.self_attn.o_proj",
        f"{ours}/mlp_norm": f"{theirs}.post_attention_layernorm",
        f"{ours}/mlp/gate": f"{theirs}.mlp.gate_proj",
        f"{ours}/mlp/up": f"{theirs}.mlp.up_proj",
        f"{ours}/mlp/down": f"{theirs}.mlp.down_proj",
        "norm": "model.norm",
        "head": "lm_head",
    }


FAMILY = Family(
    build=build,
    names=names,
    tied={"lm_head.weight": "model.embed_tokens.weight"},
    buffers=("*.rotary_emb.inv_freq",),
)
register("llama", FAMILY)
