"""Models that are made of two others, each described by a part of `config.json`."""

from typing import Any

import flax.linen as nn

from blocks import (
    Causal,
    CausalLM,
    CrossAttention,
    Encoder,
    MultiHeadAttention,
    TransformerBlock,
    find,
    override,
)
from recipes.errors import RecipeError
from recipes.weights.config import Config
from recipes.weights.families import Family, family_of

# The class of an encoder alone, where the type of its configuration does not say it.
BODIES = {
    "bert": "BertModel",
    "distilbert": "DistilBertModel",
    "mpnet": "MPNetModel",
    "roberta": "RobertaModel",
    "xlm-roberta": "XLMRobertaModel",
    "wav2vec2": "Wav2Vec2Model",
    "clip_vision_model": "CLIPVisionModelWithProjection",
}

# The class of a decoder, and the reference's name of its layers.
BERT = "{}.encoder.layer.{{i}}.crossattention"
DECODERS = {
    "bert": ("BertForMaskedLM", BERT.format("bert")),
    "roberta": ("RobertaForMaskedLM", BERT.format("roberta")),
    "xlm-roberta": ("XLMRobertaForMaskedLM", BERT.format("roberta")),
    "gpt2": ("GPT2LMHeadModel", "transformer.h.{i}.crossattention"),
}
CLASSES = {kind: name for kind, (name, _) in DECODERS.items()}


def side(config: Config, name: str, kinds: dict[str, str]) -> tuple[Config, Family]:
    """Read the part of a configuration that describes one side, and find its family.

    Args:
        config: The configuration of both.
        name: The part, such as `encoder`.
        kinds: Class of each `model_type` that has several.
    """
    part = config.part(name)
    kind = kinds.get(part["model_type"])
    read = part.changed({**part.fields, "architectures": [kind] if kind else []})
    family = family_of(read)
    read.fill(family.defaults)
    return read, family


def encoder_of(config: Config, name: str, head: nn.Module | None) -> Encoder:
    """Build the encoder of one side, with another head.

    Raises:
        RecipeError: A model that is not an encoder.
    """
    part, family = side(config, name, BODIES)
    model = family.build(part)
    if not isinstance(model, Encoder):
        raise RecipeError(
            f"config.json has `{name}.model_type`={part['model_type']!r}, which is not an encoder.",
            f"Give an encoder, such as {', '.join(BODIES)} or vit.",
        )
    return Encoder(embed=model.embed, stack=model.stack, norm=model.norm, head=head)


def decoder_of(config: Config) -> CausalLM:
    """Build the decoder, which looks back and reads the encoder's vectors."""
    part, family = decoder_side(config)
    part.only("cross_attention_hidden_size", None)
    model: Any = family.build(part.changed({**part.fields, "add_cross_attention": False}))
    heads = next(iter(find(model, MultiHeadAttention).values()))
    cross = CrossAttention(num_heads=heads.num_heads, dropout_rate=heads.dropout_rate)
    stack = override(model.stack, MultiHeadAttention, mask=Causal())
    stack = override(stack, TransformerBlock, cross_attention=cross)
    return CausalLM(embed=model.embed, stack=stack, norm=model.norm, head=model.head)


def decoder_side(config: Config) -> tuple[Config, Family]:
    """Read the part of a configuration that describes the decoder, and find its family.

    Raises:
        RecipeError: A model whose form with cross-attention is not known.
    """
    kind = config.part("decoder")["model_type"]
    if kind not in DECODERS:
        raise RecipeError(
            f"config.json has `decoder.model_type`={kind!r}, which is not known as a decoder.",
            f"Known: {', '.join(DECODERS)}.",
        )
    return side(config, "decoder", CLASSES)
