"""GPT-NeoX and Pythia: parallel sublayers with a norm each, a quarter of each head rotated.

References:
    Black et al., GPT-NeoX-20B, 2022, arXiv:2204.06745.
    Biderman et al., Pythia, 2023, arXiv:2304.01373.
"""

from blocks import (
    MLP,
    CausalLM,
    LayerNorm,
    MultiHeadAttention,
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
    parallel = config.get("use_parallel_residual", True)
    norm = LayerNorm(epsilon=config.get("layer_norm_eps", 1e-5))
    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=config["vocab_size"],
            features=config["hidden_size"],
            dropout_rate=config.get("hidden_dropout", 0.0),
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config["num_attention_heads"],
                    position=rotary(config, fraction=config.get("rotary_pct", 0.25)),
                    mask=causal(),
                    use_bias=config.get("attention_bias", True),
                    dropout_rate=config.get("attention_dropout", 0.0),
                ),
                mlp=MLP(
                    hidden=config["intermediate_size"],
                    activation=activation(config.get("hidden_act", "gelu")),
                ),
                norm=norm,
                residual=ParallelNorms() if parallel else PreNorm(),
                dropout_rate=config.get("hidden_dropout", 0.0),
            ),
            depth=config["num_hidden_layers"],
        ),
        norm=norm,
        head=head(config),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does: each head has its query, key and value together."""
    ours, theirs = "stack/layer_{i}", "gpt_neox.layers.{i}"
    heads = config["num_attention_heads"]
    sizes = (config["hidden_size"] // heads,) * 3
    fused = f"{theirs}.attention.query_key_value"
    return {
        "embed": "gpt_neox.embed_in",
        f"{ours}/attention_norm": f"{theirs}.input_layernorm",
        **fused_qkv(f"{ours}/attention", fused, sizes, groups=heads),
        f"{ours}/attention/out": f"{theirs}.attention.dense",
        f"{ours}/mlp_norm": f"{theirs}.post_attention_layernorm",
        f"{ours}/mlp/up": f"{theirs}.mlp.dense_h_to_4h",
        f"{ours}/mlp/down": f"{theirs}.mlp.dense_4h_to_h",
        "norm": "gpt_neox.final_layer_norm",
        "head": "embed_out",
    }


BUFFERS = ("*.attention.bias", "*.attention.masked_bias", "*.rotary_emb.inv_freq")
TIED = {"embed_out.weight": "gpt_neox.embed_in.weight"}
FAMILY = Family(build=build, names=names, tied=TIED, buffers=BUFFERS)
register("gpt_neox", FAMILY)
