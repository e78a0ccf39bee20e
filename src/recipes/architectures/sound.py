"""Parts and names that models of sound share: convolutions on samples.

Sound comes as samples, `[batch, samples, 1]`.
"""

from typing import Any

import jax
import jax.numpy as jnp

from blocks import LayerNorm
from blocks.embeddings import Convolution
from blocks.norms import GroupNorm
from recipes.architectures.common import activation
from recipes.weights.config import Config
from recipes.weights.families import token_ids
from recipes.weights.rules import Names, Tensor

# Fields of wav2vec 2.0: of pretraining, of other heads, of the loss, and of training.
UNREAD = (
    "apply_spec_augment", "classifier_proj_size", "codevector_dim",
    "contrastive_logits_temperature", "ctc_loss_reduction", "ctc_zero_infinity",
    "diversity_loss_weight", "feat_proj_dropout", "feat_quantizer_dropout", "final_dropout",
    "layerdrop", "mask_feature_length", "mask_feature_min_masks", "mask_feature_prob",
    "mask_time_length", "mask_time_min_masks", "mask_time_prob", "num_codevector_groups",
    "num_codevectors_per_group", "num_negatives", "proj_codevector_dim", "tdnn_dilation",
    "tdnn_dim", "tdnn_kernel", "use_weighted_layer_sum", "xvector_output_dim",
    "adapter_kernel_size", "adapter_stride", "num_adapter_layers", "output_hidden_size",
    "num_feat_extract_layers", "gradient_checkpointing",
)  # fmt: skip


def convolutions(config: Config) -> list[Convolution]:
    """Build the convolutions: the first has a norm of each feature, or all have layer norms."""
    kind = config.only("feat_extract_norm", "group", "layer")
    widths, strides, features = (config[f"conv_{name}"] for name in ("kernel", "stride", "dim"))
    norms: list[Any] = [LayerNorm()] * len(widths)
    if kind == "group":
        norms = [GroupNorm(num_groups=features[0]), *[None] * (len(widths) - 1)]
    return [
        Convolution(
            features=size,
            width=width,
            stride=stride,
            norm=norm,
            activation=activation(config.get("feat_extract_activation", "gelu")),
            use_bias=config.get("conv_bias", False),
        )
        for size, width, stride, norm in zip(features, widths, strides, norms, strict=True)
    ]


def samples(config: Config) -> tuple[Any, ...]:
    """Inputs of the model: samples of sound, enough for two steps."""
    samples = 2
    for width, stride in zip(config["conv_kernel"][::-1], config["conv_stride"][::-1], strict=True):
        samples = (samples - 1) * stride + width
    return (jax.ShapeDtypeStruct((1, samples, 1), jnp.float32),)


def tokens_and_sound(config: Config) -> tuple[Any, ...]:
    """Inputs of a model that transcribes: token ids, and samples of sound."""
    return (*token_ids(config), jax.ShapeDtypeStruct((1, 1023, 1), jnp.float32))


def convolution_names(ours: str, theirs: str) -> Names:
    """Name a convolution, whose filters the reference keeps outputs first."""
    return {
        f"{ours}/kernel": Tensor(f"{theirs}.weight", (2, 1, 0)),
        f"{ours}/bias": f"{theirs}.bias",
    }


def moonshine_stem(features: int) -> tuple[Any, ...]:
    """Build Moonshine's convolutions, 384 samples a step, and the norm after the first."""
    gelu = activation("gelu")
    return (
        Convolution(features=features, width=127, stride=64, activation=jnp.tanh, use_bias=False),
        GroupNorm(num_groups=1),
        Convolution(features=2 * features, width=7, stride=3, activation=gelu),
        Convolution(features=features, width=3, stride=2, activation=gelu),
    )
