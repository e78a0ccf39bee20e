"""wav2vec 2.0 with a CTC head: convolutions on sound, positions by another, an encoder.

Sound comes as samples, `[batch, samples, 1]`.

References:
    Baevski et al., wav2vec 2.0, 2020, arXiv:2006.11477.
"""

import dataclasses
import functools
from typing import Any

from blocks import (
    MLP,
    Encoder,
    LayerNorm,
    Linear,
    LMHead,
    MultiHeadAttention,
    PostNorm,
    PreNorm,
    Stack,
    TransformerBlock,
    override,
)
from blocks.embeddings import SoundEmbedding
from blocks.positions import ConvolutionalPositions
from recipes.architectures.common import activation
from recipes.architectures.sound import UNREAD, convolution_names, convolutions, samples
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names, Tensor


def build(config: Config) -> Encoder:
    """Build the model, which has logits of each character at each step."""
    config.only("add_adapter", False)
    config.only("adapter_attn_dim", None)
    config.ignore(*UNREAD)
    norm = LayerNorm(epsilon=config.get("layer_norm_eps", 1e-5))
    first, dropout = config.get("do_stable_layer_norm", False), config.get("hidden_dropout", 0.1)
    block = TransformerBlock(
        attention=MultiHeadAttention(
            num_heads=config["num_attention_heads"],
            dropout_rate=config.get("attention_dropout", 0.1),
        ),
        mlp=MLP(
            hidden=config["intermediate_size"],
            activation=activation(config.get("hidden_act", "gelu")),
            dropout_rate=config.get("activation_dropout", 0.1),
        ),
        norm=norm,
        residual=PreNorm() if first else PostNorm(),
        dropout_rate=dropout,
    )
    position = ConvolutionalPositions(
        width=config.get("num_conv_pos_embeddings", 128),
        num_groups=config.get("num_conv_pos_embedding_groups", 16),
        activation=activation(config.get("feat_extract_activation", "gelu")),
    )
    return Encoder(
        embed=SoundEmbedding(
            steps=(*convolutions(config), norm, Linear(features=(config["hidden_size"],))),
            position=position,
            embedding_norm=None if first else norm,
            dropout_rate=dropout,
        ),
        stack=Stack(block=block, depth=config["num_hidden_layers"]),
        norm=norm if first else None,
        head=LMHead(vocab_size=config.get("vocab_size", 32), use_bias=True),
    )


def names(config: Config, start: str = "wav2vec2.") -> Names:
    """Name the weights as the reference does; `start` is what its names begin with."""
    ours, theirs = "stack/layer_{i}", f"{start}encoder.layers.{{i}}"
    layers, count = f"{start}feature_extractor.conv_layers", len(config["conv_dim"])
    norm = "embed/embedding_norm" if not config.get("do_stable_layer_norm", False) else "norm"
    position = f"{start}encoder.pos_conv_embed.conv"
    attention = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "out_proj"}
    found: dict[str, Any] = {}
    for i in range(count):
        found |= convolution_names(f"embed/step_{i}", f"{layers}.{i}.conv")
        found[f"embed/step_{i}/norm"] = f"{layers}.{i}.layer_norm"
    return {
        **found,
        f"embed/step_{count}": f"{start}feature_projection.layer_norm",
        f"embed/step_{count + 1}": f"{start}feature_projection.projection",
        "embed/position/kernel": Tensor(f"{position}.parametrizations.weight.original1", (2, 1, 0)),
        "embed/position/scale": Tensor(
            f"{position}.parametrizations.weight.original0",
            shape=(1, 1, config.get("num_conv_pos_embeddings", 128)),
        ),
        "embed/position/bias": f"{position}.bias",
        norm: f"{start}encoder.layer_norm",
        **{f"{ours}/attention/{part}": f"{theirs}.attention.{n}" for part, n in attention.items()},
        f"{ours}/attention_norm": f"{theirs}.layer_norm",
        f"{ours}/mlp/up": f"{theirs}.feed_forward.intermediate_dense",
        f"{ours}/mlp/down": f"{theirs}.feed_forward.output_dense",
        f"{ours}/mlp_norm": f"{theirs}.final_layer_norm",
        "head": "lm_head",
    }


# What masks spans in training stays out.
FAMILY = Family(build=build, names=names, inputs=samples, buffers=("*masked_spec_embed",))
register("Wav2Vec2ForCTC", FAMILY)
ALONE = {
    "build": lambda config: override(build(config), Encoder, head=None),
    "names": functools.partial(names, start=""),
}
register("Wav2Vec2Model", dataclasses.replace(FAMILY, **ALONE))
