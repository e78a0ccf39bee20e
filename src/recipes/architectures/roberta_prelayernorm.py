"""RoBERTa-PreLayerNorm: RoBERTa with norms before each sublayer, and one after the last layer.

References:
    Ott et al., fairseq, 2019, arXiv:1904.01038 (`--encoder-normalize-before`).
"""

import dataclasses

from blocks import Encoder, LayerNorm, PreNorm, TransformerBlock, override
from recipes.architectures import roberta
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names

MODEL = "roberta_prelayernorm"


def build(config: Config) -> Encoder:
    """Build the model as a value."""
    model = override(roberta.build(config), TransformerBlock, residual=PreNorm())
    return override(model, Encoder, norm=LayerNorm(epsilon=config.get("layer_norm_eps", 1e-12)))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    layer = f"{MODEL}.encoder.layer.{{i}}"
    return {
        **roberta.names(config, MODEL),
        "stack/layer_{i}/attention_norm": f"{layer}.attention.LayerNorm",
        "stack/layer_{i}/mlp_norm": f"{layer}.intermediate.LayerNorm",
        "norm": f"{MODEL}.LayerNorm",
    }


FAMILY = dataclasses.replace(roberta.FAMILY, build=build, names=names, tied=roberta.tied_to(MODEL))
register("RobertaPreLayerNormForMaskedLM", FAMILY)
