"""LongT5: T5 whose encoder sees the neighbours of each token alone; its head is always tied.

References:
    Guo et al., LongT5, 2021, arXiv:2112.07916.
"""

import dataclasses

from blocks import EncoderDecoder, LMHead, MultiHeadAttention, SlidingWindow, override
from recipes.architectures import t5
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    config.ignore("dense_act_fn", "is_gated_act")
    config.only("encoder_attention_type", "local")
    config.ignore("global_block_size")  # of the other type of attention
    window = SlidingWindow(window=config.get("local_radius", 127) + 1)
    model = t5.model_of(config, tied=True)
    # As in T5, "not tied" in a configuration means that outputs are not scaled.
    if not config.get("scale_decoder_outputs", config.get("tie_word_embeddings", True)):
        model = override(model, LMHead, logit_scale=1.0)
    return model.copy(encoder=override(model.encoder, MultiHeadAttention, mask=window))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    return t5.names(config, attention="LocalSelfAttention")


FAMILY = dataclasses.replace(t5.FAMILY, build=build, names=names)
register("longt5", FAMILY)
