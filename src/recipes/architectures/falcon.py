"""Falcon: one key head for all queries or for each group, in parallel; ALiBi in the RW models.

References:
    Almazrouei et al., The Falcon Series of Open Language Models, 2023, arXiv:2311.16867.
"""

from blocks import (
    MLP,
    ALiBi,
    CausalLM,
    LayerNorm,
    MultiHeadAttention,
    Parallel,
    ParallelNorms,
    PreNorm,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.architectures.common import activation, causal, fused_qkv, head, rotary
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    features, heads = config["hidden_size"], config["num_attention_heads"]
    config.ignore("rope_parameters", "max_position_embeddings")  # Of no use with ALiBi.
    config.ignore("multi_query", "parallel_attn")  # Of no use in the new architecture.
    bias, alibi = config.get("bias", False), config.get("alibi", False)
    norm = LayerNorm(epsilon=config.get("layer_norm_epsilon", 1e-5))
    parallel = ParallelNorms() if _norms(config) == 2 else Parallel()
    return CausalLM(
        embed=TokenEmbedding(vocab_size=config["vocab_size"], features=features),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=heads,
                    num_kv_heads=_kv_heads(config),
                    position=None if alibi else rotary(config),
                    scores=(ALiBi(scale=(features // heads) ** -0.5),) if alibi else (),
                    mask=causal(),
                    use_bias=bias,
                    dropout_rate=config.get("attention_dropout", 0.0),
                ),
                mlp=MLP(
                    hidden=config.get("ffn_hidden_size", 4 * features),
                    activation=activation(config.get("activation", "gelu")),
                    use_bias=bias,
                ),
                norm=norm,
                residual=parallel if _parallel(config) else PreNorm(),
                dropout_rate=config.get("hidden_dropout", 0.0),
            ),
            depth=config["num_hidden_layers"],
        ),
        norm=norm,
        head=head(config, tied=True),
    )


def _grouped(config: Config) -> bool:
    return config.get("new_decoder_architecture", False)


def _parallel(config: Config) -> bool:
    return _grouped(config) or config.get("parallel_attn", True)


def _norms(config: Config) -> int:
    return config.get("num_ln_in_parallel_attn", 2) if _grouped(config) else 1


def _kv_heads(config: Config) -> int:
    heads = config["num_attention_heads"]
    if _grouped(config):
        return config.get("num_kv_heads", heads)
    config.ignore("num_kv_heads")
    return 1 if config.get("multi_query", True) else heads


def names(config: Config) -> Names:
    """Name the weights as the reference does: queries, keys and values are one matrix."""
    ours, theirs = "stack/layer_{i}", "transformer.h.{i}"
    heads, kv_heads = config["num_attention_heads"], _kv_heads(config)
    head_dim, group = config["hidden_size"] // heads, heads // kv_heads
    sizes = (group * head_dim, head_dim, head_dim)
    fused = f"{theirs}.self_attention.query_key_value"
    two = _parallel(config) and _norms(config) == 2
    return {
        "embed": "transformer.word_embeddings",
        f"{ours}/input_norm": f"{theirs}.input_layernorm",
        f"{ours}/attention_norm": f"{theirs}.{'ln_attn' if two else 'input_layernorm'}",
        **fused_qkv(f"{ours}/attention", fused, sizes, groups=kv_heads),
        f"{ours}/attention/out": f"{theirs}.self_attention.dense",
        f"{ours}/mlp_norm": f"{theirs}.{'ln_mlp' if two else 'post_attention_layernorm'}",
        f"{ours}/mlp/up": f"{theirs}.mlp.dense_h_to_4h",
        f"{ours}/mlp/down": f"{theirs}.mlp.dense_4h_to_h",
        "norm": "transformer.ln_f",
        "head": "lm_head",
    }


TIED = {"lm_head.weight": "transformer.word_embeddings.weight"}
FAMILY = Family(build=build, names=names, tied=TIED, buffers=("*.rotary_emb.inv_freq",))
register("falcon", FAMILY)
