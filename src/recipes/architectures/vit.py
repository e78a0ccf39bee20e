"""ViT: a class token and patches of an image, learned positions, pre-norm layers.

References:
    Dosovitskiy et al., An Image is Worth 16x16 Words, 2020, arXiv:2010.11929.
"""

from blocks import ClassifierHead, Encoder
from blocks.heads import DensePool, PooledHead
from recipes.architectures.common import activation
from recipes.architectures.tasks import labels
from recipes.architectures.vision import (
    images,
    layers,
    norm,
    patch_names,
    patches,
    position_names,
)
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names, Tensor

CLASSIFIES = "ViTForImageClassification"


def build(config: Config) -> Encoder:
    """Build the classifier, or the encoder with its pooler."""
    config.ignore("encoder_stride")
    config.only("pooler_output_size", config["hidden_size"])
    pool = DensePool(activation=activation(config.get("pooler_act", "tanh")))
    return Encoder(
        embed=patches(
            config,
            extra_tokens=1,
            token_positions=1,
            dropout_rate=config.get("hidden_dropout_prob", 0.0),
        ),
        stack=layers(config, epsilon=1e-12),
        norm=norm(config, 1e-12),
        head=classes(config) if classifies(config) else PooledHead(pool=pool),
    )


def classifies(config: Config) -> bool:
    """Whether a configuration is that of the classifier."""
    return CLASSIFIES in config.get("architectures", ())


def classes(config: Config) -> ClassifierHead:
    """Build the head on the class token; a configuration without labels has two classes."""
    return ClassifierHead(num_classes=labels(config))


def layer_names(ours: str, theirs: str) -> Names:
    """Name the weights of a layer."""
    return {
        f"{ours}/attention_norm": f"{theirs}.layernorm_before",
        f"{ours}/attention/query": f"{theirs}.attention.attention.query",
        f"{ours}/attention/key": f"{theirs}.attention.attention.key",
        f"{ours}/attention/value": f"{theirs}.attention.attention.value",
        f"{ours}/attention/out": f"{theirs}.attention.output.dense",
        f"{ours}/mlp_norm": f"{theirs}.layernorm_after",
        f"{ours}/mlp/up": f"{theirs}.intermediate.dense",
        f"{ours}/mlp/down": f"{theirs}.output.dense",
    }


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    start = "vit." if classifies(config) else ""
    theirs = f"{start}embeddings"
    return {
        "embed/tokens": Tensor(f"{theirs}.cls_token", shape=(1, 1, config["hidden_size"])),
        **position_names(config, f"{theirs}.position_embeddings", 1),
        **patch_names(config, f"{theirs}.patch_embeddings.projection"),
        **layer_names("stack/layer_{i}", f"{start}encoder.layer.{{i}}"),
        "norm": f"{start}layernorm",
        "head/classes": "classifier",
        "head/pool/dense": "pooler.dense",
    }


# The mask token is of training alone.
FAMILY = Family(
    build=build,
    names=names,
    inputs=images,
    buffers=("*embeddings.mask_token",),
)
register("vit", FAMILY)
