"""ELECTRA: BERT with a narrow embedding; its discriminator tells which tokens were replaced.

References:
    Clark et al., ELECTRA, 2020, arXiv:2003.10555.
"""

import dataclasses

from blocks import Encoder, MaskedLMHead, gelu, override
from blocks.heads import ProjectedHead, ValueHead
from recipes.architectures import bert
from recipes.architectures.common import activation
from recipes.architectures.factorized import names_within, narrowed
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> Encoder:
    """Build the generator, with the head of masked tokens, as a value."""
    config.ignore("summary_last_dropout")  # of classifiers
    model = override(bert.build(config), MaskedLMHead, activation=gelu)  # whatever `hidden_act` is
    return narrowed(model, config)


def build_discriminator(config: Config) -> Encoder:
    """Build the discriminator, with a logit for each token that it was replaced."""
    used = activation(config.get("hidden_act", "gelu"))
    return build(config).copy(head=ProjectedHead(head=ValueHead(), activation=used))


def encoder_names(config: Config) -> Names:
    """Name the weights of embedding and layers as the reference does."""
    config.ignore("tie_word_embeddings")
    inner = bert.encoder_names("", "electra")
    return names_within(inner, build(config), "electra.embeddings_project")


def names(config: Config) -> Names:
    """Name the generator's weights as the reference does."""
    config.only("tie_word_embeddings", True)
    return {
        **encoder_names(config),
        "head/dense": "generator_predictions.dense",
        "head/norm": "generator_predictions.LayerNorm",
        "head/head/bias": "generator_lm_head.bias",
    }


def discriminator_names(config: Config) -> Names:
    """Name the discriminator's weights as the reference does."""
    return {
        **encoder_names(config),
        "head/dense": "discriminator_predictions.dense",
        "head/head/value": "discriminator_predictions.dense_prediction",
    }


TIED = {"generator_lm_head.weight": "electra.embeddings.word_embeddings.weight"}
FAMILY = dataclasses.replace(bert.FAMILY, build=build, names=names, tied=TIED)
register("ElectraForMaskedLM", FAMILY)
register(
    "ElectraForPreTraining",
    dataclasses.replace(bert.FAMILY, build=build_discriminator, names=discriminator_names, tied={}),
)
