"""BART: post-norm, learned positions from the third row, norms on embeddings, a bias on logits.

Encoder and decoder share the table of tokens, and each has positions of its own.

References:
    Lewis et al., BART, 2019, arXiv:1910.13461.
"""

from typing import Any

from blocks import (
    MLP,
    Causal,
    CausalLM,
    CrossAttention,
    Encoder,
    EncoderDecoder,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    PostNorm,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.embeddings import VectorEmbedding
from blocks.residual.layout import Residual
from recipes.architectures.common import activation, head
from recipes.weights.config import Config
from recipes.weights.families import Family, register, source_and_target
from recipes.weights.rules import Names, Tensor


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    position = LearnedPositions(max_length=config["max_position_embeddings"], offset=2)
    return model_of(config, PostNorm(), position=position, embedding_norm=LayerNorm())


def model_of(
    config: Config, residual: Residual, *, norm: LayerNorm | None = None, **embed: Any
) -> EncoderDecoder:
    """Build the model from where norms stand, and what embeddings add to the vectors of tokens."""
    config.ignore("classifier_dropout", "normalize_before", "add_final_layer_norm")
    config.ignore("normalize_embedding", "add_bias_logits", "static_position_embeddings")
    features = config["d_model"]
    embed["embedding_scale"] = features**0.5 if config.get("scale_embedding", False) else 1.0
    embed["dropout_rate"] = rate = config.get("dropout", 0.1)

    def stack(side: str) -> Stack:
        heads = config[f"{side}_attention_heads"]
        options = {"num_heads": heads, "dropout_rate": config.get("attention_dropout", 0.0)}
        decodes = side == "decoder"
        block = TransformerBlock(
            attention=MultiHeadAttention(mask=Causal() if decodes else None, **options),
            cross_attention=CrossAttention(**options) if decodes else None,
            mlp=MLP(
                hidden=config[f"{side}_ffn_dim"],
                activation=activation(config.get("activation_function", "gelu")),
                dropout_rate=config.get("activation_dropout", 0.0),
            ),
            norm=LayerNorm(),
            residual=residual,
            dropout_rate=rate,
        )
        return Stack(block=block, depth=config[f"{side}_layers"])

    return EncoderDecoder(
        encoder=Encoder(embed=VectorEmbedding(**embed), stack=stack("encoder"), norm=norm),
        decoder=CausalLM(
            embed=TokenEmbedding(vocab_size=config["vocab_size"], features=features, **embed),
            stack=stack("decoder"),
            norm=norm,
            head=head(config, tied=True, use_bias=True),
        ),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    return {
        "decoder/embed/embedding": "model.shared.weight",
        "decoder/head/bias": Tensor("final_logits_bias", shape=(1, config["vocab_size"])),
        "decoder/head/kernel": "lm_head.weight",
        **layer_names(),
    }


def layer_names() -> Names:
    """Name the positions, layers and norms of both sides, as relatives have them too."""
    table: dict[str, str] = {}
    for side in ("encoder", "decoder"):
        ours, theirs = f"{side}/stack/layer_{{i}}", f"model.{side}.layers.{{i}}"
        for name, other in (("attention", "self_attn"), ("cross_attention", "encoder_attn")):
            table[f"{ours}/{name}_norm"] = f"{theirs}.{other}_layer_norm"
            for part in ("query", "key", "value", "out"):
                short = part if part == "out" else part[0]
                table[f"{ours}/{name}/{part}"] = f"{theirs}.{other}.{short}_proj"
        table |= {
            f"{side}/embed/position": f"model.{side}.embed_positions",
            f"{side}/embed/embedding_norm": f"model.{side}.layernorm_embedding",
            f"{ours}/mlp_norm": f"{theirs}.final_layer_norm",
            f"{ours}/mlp/up": f"{theirs}.fc1",
            f"{ours}/mlp/down": f"{theirs}.fc2",
            f"{side}/norm": f"model.{side}.layer_norm",
        }
    return table


TABLES = ("lm_head", "model.encoder.embed_tokens", "model.decoder.embed_tokens")
FAMILY = Family(
    build=build,
    names=names,
    inputs=source_and_target,
    tied={f"{name}.weight": "model.shared.weight" for name in TABLES},
    buffers=("model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight"),
)
register("bart", FAMILY)
