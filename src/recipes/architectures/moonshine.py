"""Moonshine: convolutions on sound, an encoder and a gated decoder, both with partial rotation.

Sound comes as samples, `[batch, samples, 1]`.

References:
    Jeffries et al., Moonshine, 2024, arXiv:2410.15608.
"""

from typing import Any

from blocks import (
    MLP,
    Causal,
    CausalLM,
    CrossAttention,
    Encoder,
    EncoderDecoder,
    GatedMLP,
    LayerNorm,
    MultiHeadAttention,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.attention.multi_head import Biases
from blocks.embeddings import SoundEmbedding
from recipes.architectures.common import activation, head, rotary
from recipes.architectures.sound import convolution_names, moonshine_stem, tokens_and_sound
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names, Part

NORM = LayerNorm(use_bias=False)


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    config.ignore("pad_head_dim_to_multiple_of")  # which changes no result
    features = config["hidden_size"]
    return EncoderDecoder(
        encoder=Encoder(
            embed=SoundEmbedding(steps=moonshine_stem(features)),
            stack=_stack(config, "encoder"),
            norm=NORM,
        ),
        decoder=CausalLM(
            embed=TokenEmbedding(vocab_size=config["vocab_size"], features=features),
            stack=_stack(config, "decoder"),
            norm=NORM,
            head=head(config, tied=True),
        ),
    )


def _stack(config: Config, side: str) -> Stack:
    heads, decodes = config[f"{side}_num_attention_heads"], side == "decoder"
    # The reference has no other: it cuts queries into as many heads as there are of keys.
    config.only(f"{side}_num_key_value_heads", heads)
    bias = config.get("attention_bias", False)
    attention: dict[str, Any] = {
        "num_heads": heads,
        "use_bias": Biases(query=bias, key=bias, value=bias, out=False),
        "dropout_rate": config.get("attention_dropout", 0.0),
    }
    attends = MultiHeadAttention(
        position=rotary(config, fraction=0.9, interleaved=True),
        mask=Causal() if decodes else None,
        **attention,
    )
    act = activation(config.get(f"{side}_hidden_act", "silu" if decodes else "gelu"))
    mlp = GatedMLP if decodes else MLP
    return Stack(
        block=TransformerBlock(
            attention=attends,
            cross_attention=CrossAttention(**attention) if decodes else None,
            mlp=mlp(hidden=config["intermediate_size"], activation=act, use_bias=True),
            norm=NORM,
        ),
        depth=config[f"{side}_num_hidden_layers"],
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    hidden, found, stem = config["intermediate_size"], {}, "encoder/embed/step"
    norms = {"encoder": ("input", "post_attention"), "decoder": ("input", "final")}
    for side, (first, last) in norms.items():
        ours, theirs = f"{side}/stack/layer_{{i}}", f"model.{side}.layers.{{i}}"
        for part, name in {"attention": "self_attn", "cross_attention": "encoder_attn"}.items():
            for projection in ("query", "key", "value", "out"):
                letter = "o" if projection == "out" else projection[0]
                found[f"{ours}/{part}/{projection}"] = f"{theirs}.{name}.{letter}_proj"
        found |= {
            f"{ours}/attention_norm": f"{theirs}.{first}_layernorm",
            f"{ours}/cross_attention_norm": f"{theirs}.post_attention_layernorm",
            f"{ours}/mlp_norm": f"{theirs}.{last}_layernorm",
            f"{ours}/mlp/up": f"{theirs}.mlp.fc1",
            f"{ours}/mlp/down": f"{theirs}.mlp.fc2",
        }
    for index, part in enumerate(("up", "gate")):
        fused = Part("model.decoder.layers.{i}.mlp.fc1", index=index, sizes=(hidden, hidden))
        found[f"decoder/stack/layer_{{i}}/mlp/{part}"] = fused
    for index, name in {0: "conv1", 2: "conv2", 3: "conv3"}.items():
        found |= convolution_names(f"{stem}_{index}", f"model.encoder.{name}")
    return {
        **found,
        f"{stem}_1": "model.encoder.groupnorm",
        "encoder/norm": "model.encoder.layer_norm",
        "decoder/norm": "model.decoder.norm",
        "decoder/embed": "model.decoder.embed_tokens",
        "decoder/head": "proj_out",
    }


TIED = {"proj_out.weight": "model.decoder.embed_tokens.weight"}
register("moonshine", Family(build=build, names=names, inputs=tokens_and_sound, tied=TIED))
