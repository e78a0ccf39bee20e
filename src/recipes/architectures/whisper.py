"""Whisper and Distil-Whisper: two convolutions on a spectrum, then an encoder-decoder.

Spectra come time first, `[batch, time, mel]`; the reference has the mel bins first.

References:
    Radford et al., Whisper, 2022, arXiv:2212.04356.
    Gandhi et al., Distil-Whisper, 2023, arXiv:2311.00430.
"""

from typing import Any

import jax
import jax.numpy as jnp

from blocks import (
    MLP,
    Causal,
    CausalLM,
    ConvolutionStem,
    CrossAttention,
    Encoder,
    EncoderDecoder,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.attention.multi_head import Biases
from recipes.architectures import bart
from recipes.architectures.common import activation, head
from recipes.weights.config import Config
from recipes.weights.families import Family, register, token_ids
from recipes.weights.rules import Names, Tensor


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    config.only("scale_embedding", False)
    # Of a classifier, of training, of times of words; and the stem takes any number of bins.
    config.ignore(
        "use_weighted_layer_sum", "classifier_proj_size", "apply_spec_augment", "mask_time_prob",
        "mask_time_length", "mask_time_min_masks", "mask_feature_prob", "mask_feature_length",
        "mask_feature_min_masks", "median_filter_width", "activation_dropout",
        "num_hidden_layers", "num_mel_bins",
    )  # fmt: skip
    features = config["d_model"]
    return EncoderDecoder(
        encoder=Encoder(
            embed=ConvolutionStem(
                features=features,
                position=LearnedPositions(max_length=config.get("max_source_positions", 1500)),
            ),
            stack=_stack(config, "encoder"),
            norm=LayerNorm(),
        ),
        decoder=CausalLM(
            embed=TokenEmbedding(
                vocab_size=config["vocab_size"],
                features=features,
                position=LearnedPositions(max_length=config.get("max_target_positions", 448)),
                dropout_rate=config.get("dropout", 0.0),
            ),
            stack=_stack(config, "decoder"),
            norm=LayerNorm(),
            head=head(config, tied=True),
        ),
    )


def _stack(config: Config, side: str) -> Stack:
    attention: dict[str, Any] = {
        "num_heads": config[f"{side}_attention_heads"],
        "use_bias": Biases(key=False),
        "dropout_rate": config.get("attention_dropout", 0.0),
    }
    decodes = side == "decoder"
    return Stack(
        block=TransformerBlock(
            attention=MultiHeadAttention(mask=Causal() if decodes else None, **attention),
            cross_attention=CrossAttention(**attention) if decodes else None,
            mlp=MLP(
                hidden=config[f"{side}_ffn_dim"],
                activation=activation(config.get("activation_function", "gelu")),
            ),
            dropout_rate=config.get("dropout", 0.0),
        ),
        depth=config[f"{side}_layers"],
    )


def inputs(config: Config) -> tuple[Any, ...]:
    """Inputs of the model: token ids, and a spectrum, time first."""
    shape = (1, 4, config.get("num_mel_bins", 80))
    return (*token_ids(config), jax.ShapeDtypeStruct(shape, jnp.float32))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    stem = {
        f"encoder/embed/{ours}": f"model.encoder.{theirs}"
        for ours, theirs in {"first": "conv1", "second": "conv2"}.items()
    }
    return {
        **bart.layer_names(),
        **{
            f"{ours}/kernel": Tensor(f"{theirs}.weight", (2, 1, 0)) for ours, theirs in stem.items()
        },
        **{f"{ours}/bias": f"{theirs}.bias" for ours, theirs in stem.items()},
        "decoder/embed/embedding": "model.decoder.embed_tokens.weight",
        "decoder/head": "proj_out",
    }


TIED = {"proj_out.weight": "model.decoder.embed_tokens.weight"}
register("whisper", Family(build=build, names=names, inputs=inputs, tied=TIED))
