"""Blenderbot-small: post-norm, with the decoder's norm of embeddings before its positions.

References:
    Roller et al., Recipes for building an open-domain chatbot, 2020, arXiv:2004.13637.
"""

import dataclasses

from blocks import EncoderDecoder, LayerNorm, LearnedPositions, PostNorm, TokenEmbedding, override
from blocks.positions import NormedPositions
from recipes.architectures import bart
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    position = LearnedPositions(max_length=config["max_position_embeddings"])
    model = bart.model_of(config, PostNorm(), position=position, embedding_norm=LayerNorm())
    normed = NormedPositions(position=position)
    return override(model, TokenEmbedding, position=normed, embedding_norm=None)


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    table = dict(bart.names(config))
    ours, theirs = "decoder/embed/position", "model.decoder"
    del table[ours]
    return table | {
        f"{ours}/norm": f"{theirs}.layernorm_embedding",
        f"{ours}/position": f"{theirs}.embed_positions",
    }


FAMILY = dataclasses.replace(bart.FAMILY, build=build, names=names)
register("blenderbot-small", FAMILY)
