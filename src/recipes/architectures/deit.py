"""DeiT: a ViT with a second extra token, which learns from a teacher.

References:
    Touvron et al., Training data-efficient image transformers, 2020, arXiv:2012.12877.
"""

from blocks import Encoder
from recipes.architectures.vision import (
    images,
    layers,
    norm,
    patch_names,
    patches,
    position_names,
)
from recipes.architectures.vit import classes, layer_names
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Joined, Names, Tensor

CLASSIFIES = "DeiTForImageClassification"


def build(config: Config) -> Encoder:
    """Build the classifier, or the encoder without its pooler, which has vectors of all tokens."""
    config.ignore("encoder_stride", "pooler_output_size", "pooler_act")
    dropout = config.get("hidden_dropout_prob", 0.0)
    return Encoder(
        embed=patches(config, extra_tokens=2, token_positions=2, dropout_rate=dropout),
        stack=layers(config, epsilon=1e-12),
        norm=norm(config, 1e-12),
        head=classes(config) if CLASSIFIES in config.get("architectures", ()) else None,
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    start = "deit." if CLASSIFIES in config.get("architectures", ()) else ""
    theirs, shape = f"{start}embeddings", (1, 1, config["hidden_size"])
    extra = ("cls_token", "distillation_token")
    rules = tuple(Tensor(f"{theirs}.{token}", shape=shape) for token in extra)
    return {
        "embed/tokens": Joined(rules, (1, 1)),
        **position_names(config, f"{theirs}.position_embeddings", 2),
        **patch_names(config, f"{theirs}.patch_embeddings.projection"),
        **layer_names("stack/layer_{i}", f"{start}encoder.layer.{{i}}"),
        "norm": f"{start}layernorm",
        "head/classes": "classifier",
    }


# The pooler reads the class token, and the mask token is of training alone.
FAMILY = Family(
    build=build, names=names, inputs=images, buffers=("pooler.*", "*embeddings.mask_token")
)
register("deit", FAMILY)
