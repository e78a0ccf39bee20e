"""BLOOM: ALiBi, a norm on the embeddings, biases, a tied head.

References:
    BigScience Workshop, BLOOM, 2022, arXiv:2211.05100.
"""

from blocks import (
    MLP,
    ALiBi,
    CausalLM,
    LayerNorm,
    MultiHeadAttention,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.architectures.common import activation, causal, fused_qkv, head
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.only("apply_residual_connection_post_layernorm", False)
    config.ignore("slow_but_exact", "seq_length")
    norm = LayerNorm(epsilon=config.get("layer_norm_epsilon", 1e-5))
    features = config["hidden_size"]
    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=config["vocab_size"], features=features, embedding_norm=norm
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config["n_head"],
                    mask=causal(),
                    scores=(ALiBi(),),
                    dropout_rate=config.get("attention_dropout", 0.0),
                ),
                mlp=MLP(hidden=4 * features, activation=activation("gelu_new")),
                norm=norm,
                dropout_rate=config.get("hidden_dropout", 0.0),
            ),
            depth=config["n_layer"],
        ),
        norm=norm,
        head=head(config, tied=True),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does: each head has its query, key and value together."""
    ours, theirs = "stack/layer_{i}", "transformer.h.{i}"
    heads = config["n_head"]
    sizes = (config["hidden_size"] // heads,) * 3
    fused = f"{theirs}.self_attention.query_key_value"
    return {
        "embed/embedding": "transformer.word_embeddings.weight",
        "embed/embedding_norm": "transformer.word_embeddings_layernorm",
        f"{ours}/attention_norm": f"{theirs}.input_layernorm",
        **fused_qkv(f"{ours}/attention", fused, sizes, groups=heads),
        f"{ours}/attention/out": f"{theirs}.self_attention.dense",
        f"{ours}/mlp_norm": f"{theirs}.post_attention_layernorm",
        f"{ours}/mlp/up": f"{theirs}.mlp.dense_h_to_4h",
        f"{ours}/mlp/down": f"{theirs}.mlp.dense_4h_to_h",
        "norm": "transformer.ln_f",
        "head": "lm_head",
    }


TIED = {"lm_head.weight": "transformer.word_embeddings.weight"}
FAMILY = Family(build=build, names=names, tied=TIED)
register("bloom", FAMILY)
