"""BigBird: BERT whose tokens see near blocks and both ends of a text.

The reference drops vectors of the embedding before their norm in training, and weights of whole
texts alone; here both are after and everywhere.

References:
    Zaheer et al., Big Bird, 2020, arXiv:2007.14062.
"""

import dataclasses
import math

from blocks import Encoder, MultiHeadAttention, TokenEmbedding, override
from blocks.attention import Biases, BlockSparse
from recipes.architectures import bert
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> Encoder:
    """Build the model as a value."""
    # Its default is another activation than BERT's.
    model = bert.build(config.changed({"hidden_act": "gelu_new"} | config.fields))
    bias = config.get("use_bias", True)
    biases = Biases(query=bias, key=bias, value=bias)
    model = override(model, MultiHeadAttention, use_bias=biases, scores=_scores(config))
    if config.get("rescale_embeddings", False):
        scale = math.sqrt(config["hidden_size"])
        model = override(model, TokenEmbedding, embedding_scale=scale)
    return model


def _scores(config: Config) -> tuple[BlockSparse, ...]:
    size, random = config.get("block_size", 64), config.get("num_random_blocks", 3)
    if config.only("attention_type", "block_sparse", "original_full") == "original_full":
        return ()
    return (BlockSparse(size=size, repeats=random, whole=(5 + 2 * random) * size),)


# The reference's model has a pooler, which its head of masked tokens does not read.
POOLER = "bert.pooler.*"
FAMILY = dataclasses.replace(
    bert.FAMILY,
    build=build,
    buffers=(*bert.BUFFERS, POOLER),
    aside=tuple(name for name in bert.ASIDE if name != POOLER),
)
register("BigBirdForMaskedLM", FAMILY)
