"""mT5: T5 of version 1.1 in 101 languages, with a head of its own.

References:
    Xue et al., mT5, 2020, arXiv:2010.11934.
"""

import dataclasses

from blocks import EncoderDecoder
from recipes.architectures import t5
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    # Published weights are not tied, whatever their configurations say.
    config.ignore("classifier_dropout", "dense_act_fn", "is_gated_act", "tie_word_embeddings")
    return t5.model_of(config, tied=False)


FAMILY = dataclasses.replace(t5.FAMILY, build=build, defaults={"feed_forward_proj": "gated-gelu"})
register("mt5", FAMILY)
