"""RoFormer: BERT with rotary positions, of values too where it says so.

References:
    Su et al., RoFormer, 2021, arXiv:2104.09864.
"""

import dataclasses

from blocks import Encoder, MultiHeadAttention, RoPE, TokenEmbedding, override
from blocks.positions import RotaryValues
from recipes.architectures import bert
from recipes.architectures.factorized import names_within, narrowed
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names

ROPE = RoPE(interleaved=True)


def build(config: Config) -> Encoder:
    """Build the model as a value."""
    model = override(bert.build(config), TokenEmbedding, position=None)
    values = (RotaryValues(rope=ROPE),) if config.get("rotary_value", False) else ()
    model = override(model, MultiHeadAttention, position=ROPE, values=values)
    return narrowed(model, config)


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    inner = {**bert.names(config), **bert.encoder_names("", "roformer")}
    return names_within(inner, build(config), "roformer.embeddings_project")


TIED = bert.TIED | {"cls.predictions.decoder.weight": "roformer.embeddings.word_embeddings.weight"}
FAMILY = dataclasses.replace(
    bert.FAMILY,
    build=build,
    names=names,
    tied=TIED,
    buffers=(*bert.BUFFERS, "roformer.encoder.embed_positions.weight"),
)
register("RoFormerForMaskedLM", FAMILY)
