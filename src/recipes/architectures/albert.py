"""ALBERT: BERT with a narrow embedding, and layers that share their weights in groups.

References:
    Lan et al., ALBERT, 2019, arXiv:1909.11942.
"""

import dataclasses
from collections import Counter

from blocks import Encoder, Stack
from recipes.architectures import bert
from recipes.architectures.common import layers
from recipes.architectures.factorized import names_within, narrowed
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names

# Where the configuration's defaults are not BERT's.
DEFAULTS = {
    "hidden_act": "gelu_new",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def build(config: Config) -> Encoder:
    """Build the model as a value: a stack of groups, each a stack of shared layers."""
    config.ignore("classifier_dropout_prob")
    model = bert.build(config.changed(DEFAULTS | config.fields))
    block, depth = model.stack.block, config["num_hidden_layers"]
    groups, inner = config.get("num_hidden_groups", 1), config.get("inner_group_num", 1)
    repeats = Counter(int(layer / (depth / groups)) for layer in range(depth))

    def group(repeats: int) -> Stack:
        return Stack(block=(block,) * inner, depth=repeats * inner, shared=True)

    stack = layers([repeats[index] for index in sorted(repeats)], group)
    return narrowed(model.copy(stack=stack), config, always=True)


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    config.only("tie_word_embeddings", True)
    several = config.get("inner_group_num", 1) > 1
    ours = "stack/layer_{g}/layers" + ("_{i}" if several else "")
    theirs = "albert.encoder.albert_layer_groups.{g}.albert_layers." + ("{i}" if several else "0")
    embed = {k: v for k, v in bert.encoder_names("", "albert").items() if k.startswith("embed")}
    return {
        **names_within(embed, build(config), "albert.encoder.embedding_hidden_mapping_in"),
        f"{ours}/attention/query": f"{theirs}.attention.query",
        f"{ours}/attention/key": f"{theirs}.attention.key",
        f"{ours}/attention/value": f"{theirs}.attention.value",
        f"{ours}/attention/out": f"{theirs}.attention.dense",
        f"{ours}/attention_norm": f"{theirs}.attention.LayerNorm",
        f"{ours}/mlp/up": f"{theirs}.ffn",
        f"{ours}/mlp/down": f"{theirs}.ffn_output",
        f"{ours}/mlp_norm": f"{theirs}.full_layer_layer_norm",
        "head/dense": "predictions.dense",
        "head/norm": "predictions.LayerNorm",
        "head/head/bias": "predictions.bias",
    }


TIED = {
    "predictions.decoder.weight": "albert.embeddings.word_embeddings.weight",
    "predictions.decoder.bias": "predictions.bias",
}
FAMILY = dataclasses.replace(bert.FAMILY, build=build, names=names, tied=TIED)
register("AlbertForMaskedLM", FAMILY)
