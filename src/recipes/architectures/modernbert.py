"""ModernBERT: BERT of today, with rotary positions, gated GELU and windows in most layers.

References:
    Warner et al., Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder, 2024,
    arXiv:2412.13663.
"""

from typing import Any

import blocks
from blocks import Encoder, LayerNorm, PreNorm, TransformerBlock, override
from blocks.residual import WithoutNorm
from recipes.architectures.common import activation, fused_qkv, gate_up, layers, rotary
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names

# Layers of each kind have a theta of their own; so they are called in files of the first version.
THETAS = {
    "full_attention": ("global_rope_theta", 160_000.0),
    "sliding_attention": ("local_rope_theta", 10_000.0),
}
# How the reference runs and starts it.
HARMLESS = ("deterministic_flash_attn", "initializer_cutoff_factor", "reference_compile")
HARMLESS += ("repad_logits_with_grad", "sparse_pred_ignore_index", "sparse_prediction")


def body(config: Config) -> Encoder:
    """Build the encoder without a head."""
    config.ignore(*HARMLESS)
    depth, every = config["num_hidden_layers"], config.get("global_attn_every_n_layers", 3)
    norm = norm_of(config)
    kinds = ["sliding_attention" if i % every else "full_attention" for i in range(depth)]
    kinds = config.get("layer_types", kinds)
    bias, window = config.get("attention_bias", False), config.get("local_attention", 128) // 2

    def block(place: tuple[str, bool]) -> TransformerBlock:
        kind, first = place
        field, theta = THETAS[kind]
        # The first layer reads the norm of the embedding.
        bare = WithoutNorm(residual=PreNorm(), sublayers=("attention",))
        return TransformerBlock(
            attention=blocks.MultiHeadAttention(
                num_heads=config["num_attention_heads"],
                use_bias=bias,
                mask=blocks.SlidingWindow(window + 1) if kind == "sliding_attention" else None,
                position=rotary(config, kind=kind, theta=config.get(field, theta)),
                dropout_rate=config.get("attention_dropout", 0.0),
            ),
            mlp=blocks.GatedMLP(
                hidden=config["intermediate_size"],
                activation=activation(config.get("hidden_activation", "gelu")),
                use_bias=config.get("mlp_bias", False),
                dropout_rate=config.get("mlp_dropout", 0.0),
            ),
            norm=norm,
            residual=bare if first else PreNorm(),
        )

    embed = blocks.TokenEmbedding(
        vocab_size=config["vocab_size"],
        features=config["hidden_size"],
        embedding_norm=norm,
        dropout_rate=config.get("embedding_dropout", 0.0),
    )
    stack = layers([(kind, index == 0) for index, kind in enumerate(kinds)], block)
    return Encoder(embed=embed, stack=stack, norm=norm)


def masked(config: Config) -> Encoder:
    """Build the model with the head of masked tokens, whose matrix is the table."""
    config.only("tie_word_embeddings", True)
    head = blocks.LMHead(tied=True, use_bias=config.get("decoder_bias", True))
    return override(body(config), Encoder, head=blocks.MaskedLMHead(head=head, **dense(config)))


def norm_of(config: Config) -> LayerNorm:
    """Build the norm."""
    return LayerNorm(epsilon=config.get("norm_eps", 1e-5), use_bias=config.get("norm_bias", False))


def dense(config: Config) -> dict[str, Any]:
    """Fields of the layer before the logits."""
    used = activation(config.get("classifier_activation", "gelu"))
    bias = config.get("classifier_bias", False)
    return {"activation": used, "norm": norm_of(config), "use_bias": bias}


def family(build: Any, theirs: str, head: Names, **options: Any) -> Family:
    """Make the family of a head; `theirs` is the start of the reference's names."""

    def names(config: Config) -> Names:
        fields = (f"classifier_{name}" for name in ("activation", "bias", "dropout", "pooling"))
        config.ignore("tie_word_embeddings", "decoder_bias", *fields)  # of heads that are not there
        size, hidden = config["hidden_size"], config["intermediate_size"]
        ours, layer = "stack/layer_{i}", f"{theirs}layers.{{i}}"
        return {
            "embed/embedding": f"{theirs}embeddings.tok_embeddings.weight",
            "embed/embedding_norm": f"{theirs}embeddings.norm",
            f"{ours}/attention_norm": f"{layer}.attn_norm",
            **fused_qkv(f"{ours}/attention", f"{layer}.attn.Wqkv", (size, size, size)),
            f"{ours}/attention/out": f"{layer}.attn.Wo",
            f"{ours}/mlp_norm": f"{layer}.mlp_norm",
            **gate_up(f"{ours}/mlp", f"{layer}.mlp.Wi", hidden),
            f"{ours}/mlp/down": f"{layer}.mlp.Wo",
            "norm": f"{theirs}final_norm",
            **head,
        }

    return Family(build=build, names=names, **options)


MASKED = {"head/dense": "head.dense", "head/norm": "head.norm", "head/head/bias": "decoder.bias"}
TIED = {"decoder.weight": "model.embeddings.tok_embeddings.weight"}
register("ModernBertForMaskedLM", family(masked, "model.", MASKED, tied=TIED))
register("ModernBertModel", family(body, "", {}))
