"""Phi-1 and Phi-2: parallel sublayers with one norm, part of each head rotated, biases everywhere.

References:
    Li et al., Textbooks Are All You Need II: phi-1.5, 2023, arXiv:2309.05463.
"""

from blocks import (
    MLP,
    CausalLM,
    LayerNorm,
    MultiHeadAttention,
    Parallel,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.architectures.common import activation, causal, head, rotary
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.only("qk_layernorm", False)
    norm = LayerNorm(epsilon=config.get("layer_norm_eps", 1e-5))
    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=config["vocab_size"],
            features=config["hidden_size"],
            dropout_rate=config.get("embd_pdrop", 0.0),
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config["num_attention_heads"],
                    num_kv_heads=config.get("num_key_value_heads"),
                    position=rotary(config, fraction=0.5),
                    mask=causal(),
                    dropout_rate=config.get("attention_dropout", 0.0),
                ),
                mlp=MLP(
                    hidden=config["intermediate_size"],
                    activation=activation(config.get("hidden_act", "gelu_new")),
                ),
                norm=norm,
                residual=Parallel(),
                dropout_rate=config.get("resid_pdrop", 0.0),
            ),
            depth=config["num_hidden_layers"],
        ),
        norm=norm,
        head=head(config, use_bias=True),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    return {
        "embed": "model.embed_tokens",
        f"{ours}/input_norm": f"{theirs}.input_layernorm",
        f"{ours}/attention/query": f"{theirs}.self_attn.q_proj",
        f"{ours}/attention/key": f"{theirs}.self_attn.k_proj",
        f"{ours}/attention/value": f"{theirs}.self_attn.v_proj",
        f"{ours}/attention/out": f"{theirs}.self_attn.dense",
        f"{ours}/mlp/up": f"{theirs}.mlp.fc1",
        f"{ours}/mlp/down": f"{theirs}.mlp.fc2",
        "norm": "model.final_layernorm",
        "head": "lm_head",
    }


FAMILY = Family(build=build, names=names)
register("phi", FAMILY)
