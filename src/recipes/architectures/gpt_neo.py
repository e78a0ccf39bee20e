"""GPT-Neo: GPT-2 with windows in every other layer, and scores that are not scaled.

References:
    Black et al., GPT-Neo, 2021, doi:10.5281/zenodo.5297715.
"""

from blocks import (
    MLP,
    Biases,
    CausalLM,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.architectures.common import activation, causal, head, layers
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    features, norm = config["hidden_size"], LayerNorm(epsilon=config["layer_norm_epsilon"])
    config.ignore("num_layers")

    def make(kind: str) -> TransformerBlock:
        return TransformerBlock(
            attention=MultiHeadAttention(
                num_heads=config["num_heads"],
                mask=causal(config.get("window_size", 256) if kind == "local" else None),
                scale=1.0,
                use_bias=Biases(query=False, key=False, value=False),
                dropout_rate=config.get("attention_dropout", 0.0),
            ),
            mlp=MLP(
                hidden=config.get("intermediate_size", 4 * features),
                activation=activation(config.get("activation_function", "gelu_new")),
            ),
            norm=norm,
            dropout_rate=config.get("resid_dropout", 0.0),
        )

    kinds = [kind for kinds, times in config["attention_types"] for kind in kinds * times]
    config.only("attention_layers", kinds)
    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=config["vocab_size"],
            features=features,
            position=LearnedPositions(max_length=config["max_position_embeddings"]),
            dropout_rate=config.get("embed_dropout", 0.0),
        ),
        stack=layers(kinds, make),
        norm=norm,
        head=head(config, tied=True),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "transformer.h.{i}"
    return {
        "embed/embedding": "transformer.wte.weight",
        "embed/position": "transformer.wpe",
        f"{ours}/attention_norm": f"{theirs}.ln_1",
        f"{ours}/attention/query": f"{theirs}.attn.attention.q_proj",
        f"{ours}/attention/key": f"{theirs}.attn.attention.k_proj",
        f"{ours}/attention/value": f"{theirs}.attn.attention.v_proj",
        f"{ours}/attention/out": f"{theirs}.attn.attention.out_proj",
        f"{ours}/mlp_norm": f"{theirs}.ln_2",
        f"{ours}/mlp/up": f"{theirs}.mlp.c_fc",
        f"{ours}/mlp/down": f"{theirs}.mlp.c_proj",
        "norm": "transformer.ln_f",
        "head": "lm_head",
    }


BUFFERS = ("*.attn.attention.bias", "*.attn.attention.masked_bias")
TIED = {"lm_head.weight": "transformer.wte.weight"}
FAMILY = Family(build=build, names=names, tied=TIED, buffers=BUFFERS)
register("gpt_neo", FAMILY)
