"""Encoder-decoders of two models: an encoder of texts, images or sound, and what reads it.

References:
    Rothe et al., Leveraging Pre-trained Checkpoints for Sequence Generation Tasks, 2019,
    arXiv:1907.12461.
    Li et al., TrOCR, 2021, arXiv:2109.10282.
"""

import dataclasses
from typing import Any

from blocks import EncoderDecoder, LMHead, override
from recipes.architectures.pairs import (
    BODIES,
    DECODERS,
    decoder_of,
    decoder_side,
    encoder_of,
    side,
)
from recipes.weights.config import Config
from recipes.weights.families import Family, register, source_and_target, token_ids
from recipes.weights.rules import Names, Part, Tensor, within

LAYER = "stack/layer_{i}"


def build(config: Config) -> EncoderDecoder:
    """Build the model; a map stands between the sides where they are not of one width."""
    config.ignore("tie_word_embeddings")  # each side has the field
    decoder = decoder_of(config)
    encoder = encoder_of(config, "encoder", None)
    ours, theirs = (getattr(model.embed, "features", None) for model in (decoder, encoder))
    if ours is not None and ours != theirs:
        between = LMHead(vocab_size=ours, use_bias=True)
        encoder = override(encoder, type(encoder), head=between)
    return EncoderDecoder(encoder=encoder, decoder=decoder)


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    encoder, encoders = side(config, "encoder", BODIES)
    decoder, decoders = decoder_side(config)
    theirs = DECODERS[decoder["model_type"]][1]
    cross = _gpt2_cross if decoder["model_type"] == "gpt2" else _bert_cross
    return {
        **within(encoders.names(encoder), "encoder", "encoder."),
        "encoder/head": "enc_to_dec_proj",
        **within({**decoders.names(decoder), **cross(decoder, theirs)}, "decoder", "decoder."),
    }


def _bert_cross(config: Config, theirs: str) -> Names:
    parts = {name: f"{theirs}.self.{name}" for name in ("query", "key", "value")}
    parts["out"] = f"{theirs}.output.dense"
    norm = {f"{LAYER}/cross_attention_norm": f"{theirs}.output.LayerNorm"}
    return norm | {f"{LAYER}/cross_attention/{name}": one for name, one in parts.items()}


def _gpt2_cross(config: Config, theirs: str) -> Names:
    sizes, ours = (config["n_embd"],) * 2, f"{LAYER}/cross_attention"
    return {
        f"{LAYER}/cross_attention_norm": theirs.replace("crossattention", "ln_cross_attn"),
        f"{ours}/query/kernel": Tensor(f"{theirs}.q_attn.weight", (0, 1)),
        f"{ours}/query/bias": f"{theirs}.q_attn.bias",
        f"{ours}/key": Part(f"{theirs}.c_attn", (0, 1), index=0, sizes=sizes),
        f"{ours}/value": Part(f"{theirs}.c_attn", (0, 1), index=1, sizes=sizes),
        f"{ours}/out": Tensor(f"{theirs}.c_proj", (0, 1)),
    }


def target_and_source(config: Config) -> tuple[Any, ...]:
    """Inputs of a model that describes images or sound: token ids, and those of the encoder."""
    encoder, family = side(config, "encoder", BODIES)
    return (*token_ids(config), *family.inputs(encoder))


TIED = {
    "decoder.cls.predictions.decoder.weight": "decoder.bert.embeddings.word_embeddings.weight",
    "decoder.cls.predictions.decoder.bias": "decoder.cls.predictions.bias",
    "decoder.lm_head.decoder.weight": "decoder.roberta.embeddings.word_embeddings.weight",
    "decoder.lm_head.decoder.bias": "decoder.lm_head.bias",
    "decoder.lm_head.weight": "decoder.transformer.wte.weight",
}
FAMILY = Family(
    build=build,
    names=names,
    inputs=source_and_target,
    tied=TIED,
    # A decoder does not read the encoder's pooler.
    buffers=("*.position_ids", "*.token_type_ids", "*attn.bias", "*.masked_bias",
             "*crossattention.bias", "encoder.pooler.*", "*masked_spec_embed"),
)  # fmt: skip
register("encoder-decoder", FAMILY)
for kind in ("vision", "speech"):
    described = dataclasses.replace(FAMILY, inputs=target_and_source)
    register(f"{kind}-encoder-decoder", described)
