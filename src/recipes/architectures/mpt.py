"""MPT: ALiBi, no biases in norms and maps, clipped queries, keys and values in some.

References:
    MosaicML, MPT-7B, 2023, databricks.com/blog/mpt-7b.
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
    gelu,
)
from blocks.attention import ClipQK, ClipValue
from recipes.architectures.common import causal, fused_qkv, head
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    attention = config.part("attn_config")
    for name, value in {"alibi": True, "qk_ln": False, "prefix_lm": False}.items():
        attention.only(name, value)
    attention.only("attn_type", "multihead_attention")
    attention.only("alibi_bias_max", 8)
    attention.ignore("attn_impl", "attn_uses_sequence_id")
    config.only("no_bias", True)
    config.only("expansion_ratio", 4)
    config.only("logit_scale", None)
    config.ignore("learned_pos_emb", "init_device", "embedding_fraction", "max_seq_len")
    config.ignore("norm_type", "verbose")
    features, limit = config["d_model"], attention.get("clip_qkv")
    norm = LayerNorm(epsilon=config.get("layer_norm_epsilon", 1e-5), use_bias=False)
    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=config["vocab_size"],
            features=features,
            dropout_rate=config.get("emb_pdrop", 0.0),
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config["n_heads"],
                    mask=causal(),
                    scores=(ALiBi(),),
                    qk=(ClipQK(limit=limit),) if limit else (),
                    values=(ClipValue(limit=limit),) if limit else (),
                    scale=attention.get("softmax_scale"),
                    use_bias=False,
                    dropout_rate=attention.get("attn_pdrop", 0.0) + 0.0,
                ),
                mlp=MLP(hidden=4 * features, activation=gelu, use_bias=False),
                norm=norm,
                dropout_rate=config.get("resid_pdrop", 0.0),
            ),
            depth=config["n_layers"],
        ),
        norm=norm,
        head=head(config, tied=True),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does: queries, keys and values are one matrix."""
    ours, theirs, sizes = "stack/layer_{i}", "transformer.blocks.{i}", (config["d_model"],) * 3
    return {
        "embed": "transformer.wte",
        f"{ours}/attention_norm": f"{theirs}.norm_1",
        **fused_qkv(f"{ours}/attention", f"{theirs}.attn.Wqkv", sizes),
        f"{ours}/attention/out": f"{theirs}.attn.out_proj",
        f"{ours}/mlp_norm": f"{theirs}.norm_2",
        f"{ours}/mlp/up": f"{theirs}.ffn.up_proj",
        f"{ours}/mlp/down": f"{theirs}.ffn.down_proj",
        "norm": "transformer.norm_f",
        "head": "lm_head",
    }


TIED = {"lm_head.weight": "transformer.wte.weight"}
FAMILY = Family(build=build, names=names, tied=TIED)
register("mpt", FAMILY)
