"""Marian: the original transformer, with sines before cosines as positions and a bias on logits.

References:
    Junczys-Dowmunt et al., Marian, 2018, arXiv:1804.00344.
    Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762.
"""

import dataclasses

from blocks import EncoderDecoder, PostNorm, SinusoidalPositions
from recipes.architectures import bart
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    config.ignore("max_position_embeddings")  # waves have no end
    config.only("share_encoder_decoder_embeddings", True)
    config.only("decoder_vocab_size", config["vocab_size"])
    return bart.model_of(config, PostNorm(), position=SinusoidalPositions(interleaved=False))


FAMILY = dataclasses.replace(bart.FAMILY, build=build)
register("marian", FAMILY)
