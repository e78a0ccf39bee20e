"""BEiT: a ViT with a learned bias for each offset of two patches, and the mean of patches.

References:
    Bao et al., BEiT: BERT Pre-Training of Image Transformers, 2021, arXiv:2106.08254.
"""

from blocks import ClassifierHead, Encoder, LayerScale, MeanPool, PreNorm, override
from blocks.attention.multi_head import Biases, MultiHeadAttention
from blocks.heads import FirstToken
from blocks.positions import GridBias, SharedGridBias
from recipes.architectures.tasks import labels
from recipes.architectures.vision import (
    grid,
    images,
    layers,
    norm,
    patch_names,
    patches,
    position_names,
)
from recipes.architectures.vit import layer_names
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names, Tensor

CLASSIFIES = "BeitForImageClassification"


def build(config: Config) -> Encoder:
    """Build the classifier, or the encoder without its pooler, which has vectors of all tokens."""
    # Of segmentation, of backbones, of training; the vocabulary is that of images in training.
    config.ignore(
        "add_fpn", "auxiliary_channels", "auxiliary_concat_input", "auxiliary_loss_weight",
        "auxiliary_num_convs", "drop_path_rate", "out_features", "out_indices", "pool_scales",
        "reshape_hidden_states", "segmentation_indices", "semantic_loss_ignore_index",
        "stage_names", "use_auxiliary_head", "use_mask_token", "vocab_size",
    )  # fmt: skip
    positions, cells = config.get("use_absolute_position_embeddings", False), grid(config)
    means = config.get("use_mean_pooling", True)
    kinds = {
        "use_shared_relative_position_bias": SharedGridBias,
        "use_relative_position_bias": GridBias,
    }
    used = [kind for name, kind in kinds.items() if config.get(name, False)]
    attends = {"scores": tuple(kind(rows=cells, columns=cells) for kind in used)}
    scaled = config.get("layer_scale_init_value", 0.1) > 0
    residual = LayerScale() if scaled else PreNorm()
    return Encoder(
        embed=patches(
            config,
            positions=positions,
            extra_tokens=1,
            token_positions=int(positions),
            dropout_rate=config.get("hidden_dropout_prob", 0.0),
        ),
        stack=override(
            layers(config, epsilon=1e-12, residual=residual),
            MultiHeadAttention,
            use_bias=Biases(key=False),
            **attends,
        ),
        norm=None if means else norm(config, 1e-12),
        head=classes(config, means) if CLASSIFIES in config.get("architectures", ()) else None,
    )


def classes(config: Config, means: bool) -> ClassifierHead:
    """Build the head, on the norm of the mean of patches or on the class token."""
    return ClassifierHead(
        num_classes=labels(config),
        pool=MeanPool(skip=1) if means else FirstToken(),
        norm=norm(config, 1e-12) if means else None,
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    start = "beit." if CLASSIFIES in config.get("architectures", ()) else ""
    theirs, ours, layer = f"{start}embeddings", "stack/layer_{i}", f"{start}encoder.layer.{{i}}"
    table = "relative_position_bias.relative_position_bias_table"
    first = "stack/layer_0/attention/shared_grid_bias/bias"
    return {
        "embed/tokens": Tensor(f"{theirs}.cls_token", shape=(1, 1, config["hidden_size"])),
        **position_names(config, f"{theirs}.position_embeddings", 1),
        **patch_names(config, f"{theirs}.patch_embeddings.projection"),
        **layer_names(ours, layer),
        f"{ours}/attention/grid_bias/bias": Tensor(f"{layer}.attention.attention.{table}", (0, 1)),
        first: Tensor(f"{start}encoder.{table}", (0, 1)),
        f"{ours}/residual/attention_scale": f"{layer}.lambda_1",
        f"{ours}/residual/mlp_scale": f"{layer}.lambda_2",
        "norm": f"{start}layernorm",
        "head/norm": f"{start}pooler.layernorm",
        "head/classes": "classifier",
    }


# The mask token is of training alone; earlier files keep the numbers of the offsets.
FAMILY = Family(
    build=build,
    names=names,
    inputs=images,
    buffers=("pooler.*", "*embeddings.mask_token", "*.relative_position_index"),
)
register("beit", FAMILY)
