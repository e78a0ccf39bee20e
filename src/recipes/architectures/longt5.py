"""LongT5: T5 whose encoder sees the neighbours of each token, and blocks of all by their sums.

References:
    Guo et al., LongT5, 2021, arXiv:2112.07916.
"""

import dataclasses

from blocks import (
    EncoderDecoder,
    LMHead,
    MultiHeadAttention,
    RMSNorm,
    SlidingWindow,
    override,
    replace,
)
from blocks.attention import TransientGlobalAttention
from recipes.architectures import t5
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names, Tensor


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    config.ignore("dense_act_fn", "is_gated_act")
    window = SlidingWindow(window=config.get("local_radius", 127) + 1)
    model = t5.model_of(config, tied=True)
    # As in T5, "not tied" in a configuration means that outputs are not scaled.
    if not config.get("scale_decoder_outputs", config.get("tie_word_embeddings", True)):
        model = override(model, LMHead, logit_scale=1.0)
    encoder = override(model.encoder, MultiHeadAttention, mask=window)
    size = config.get("global_block_size", 16)
    if _sums(config):
        norm = RMSNorm(epsilon=config.get("layer_norm_epsilon", 1e-6))
        encoder = replace(encoder, MultiHeadAttention, lambda old: _summing(old, size, norm))
    return model.copy(encoder=encoder)


def _summing(old: MultiHeadAttention, size: int, norm: RMSNorm) -> TransientGlobalAttention:
    return TransientGlobalAttention(
        num_heads=old.num_heads,
        head_dim=old.head_dim,
        mask=old.mask,
        scores=old.scores,
        scale=old.scale,
        use_bias=old.use_bias,
        dropout_rate=old.dropout_rate,
        size=size,
        block_norm=norm,
        block_scores=old.scores[0],
    )


def _sums(config: Config) -> bool:
    kinds = ("local", "transient-global")
    return config.only("encoder_attention_type", *kinds) == "transient-global"


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    kind = "TransientGlobalSelfAttention" if _sums(config) else "LocalSelfAttention"
    ours = "encoder/stack/layer_{i}/attention"
    theirs = f"encoder.block.{{i}}.layer.0.{kind}"
    bias = f"{theirs}.global_relative_attention_bias.weight"
    return {
        **t5.names(config, attention=kind),
        f"{ours}/block_norm": f"{theirs}.global_input_layer_norm",
        f"{ours}/block_scores/bias": Tensor(bias, (0, 1)),
    }


FAMILY = dataclasses.replace(t5.FAMILY, build=build, names=names)
register("longt5", FAMILY)
