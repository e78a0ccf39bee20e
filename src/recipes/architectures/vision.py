"""Parts and names that vision transformers share: patches, layers, tables of positions.

Images come channels last, `[batch, height, width, channels]`; the reference has channels first.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blocks import (
    MLP,
    GridPositions,
    LayerNorm,
    MultiHeadAttention,
    PatchEmbedding,
    Stack,
    TransformerBlock,
)
from blocks.attention.multi_head import Biases
from recipes.architectures.common import activation
from recipes.weights.config import Config
from recipes.weights.rules import Names, Rows, Tensor


def side(config: Config, name: str) -> int:
    """Read a size of the image or of a patch, which must be square.

    Raises:
        RecipeError: An image or a patch that is not square.
    """
    height = np.atleast_1d(config[name]).tolist()[0]
    config.only(name, height, [height, height])
    return int(height)


def grid(config: Config) -> int:
    """Compute the number of patches along a side of the image."""
    return side(config, "image_size") // side(config, "patch_size")


def images(config: Config) -> tuple[Any, ...]:
    """Inputs of a vision model: images, channels last."""
    size = side(config, "image_size")
    shape = (1, size, size, config.get("num_channels", 3))
    return (jax.ShapeDtypeStruct(shape, jnp.float32),)


def patches(config: Config, *, positions: bool = True, **options: Any) -> PatchEmbedding:
    """Build the embedding of images.

    Args:
        config: The configuration.
        positions: Learn a position of each patch.
        **options: Fields of `PatchEmbedding` besides.
    """
    cells = grid(config)
    return PatchEmbedding(
        size=side(config, "patch_size"),
        features=config["hidden_size"],
        position=GridPositions(rows=cells, columns=cells) if positions else None,
        **options,
    )


def layers(config: Config, *, epsilon: float, **options: Any) -> Stack:
    """Stack layers with a norm before each sublayer and biases.

    Args:
        config: The configuration.
        epsilon: Epsilon of the norms of a configuration without the field.
        **options: Fields of `TransformerBlock` besides.
    """
    bias = config.get("qkv_bias", True)
    return Stack(
        block=TransformerBlock(
            attention=MultiHeadAttention(
                num_heads=config["num_attention_heads"],
                use_bias=Biases(query=bias, key=bias, value=bias),
                dropout_rate=config.get(
                    "attention_probs_dropout_prob", config.get("attention_dropout", 0.0)
                ),
            ),
            mlp=MLP(
                hidden=config["intermediate_size"],
                activation=activation(config.get("hidden_act", "gelu")),
            ),
            norm=norm(config, epsilon),
            dropout_rate=config.get("hidden_dropout_prob", 0.0),
            **options,
        ),
        depth=config["num_hidden_layers"],
    )


def norm(config: Config, epsilon: float) -> LayerNorm:
    """Build the norm, with the epsilon of the configuration or this one."""
    return LayerNorm(epsilon=config.get("layer_norm_eps", epsilon))


def patch_names(config: Config, projection: str, ours: str = "embed") -> Names:
    """Name the map of patches, a convolution in the reference."""
    size, channels = side(config, "patch_size"), config.get("num_channels", 3)
    shape = (config["hidden_size"], channels, size, size)
    return {
        f"{ours}/patches/kernel": Tensor(f"{projection}.weight", (2, 3, 1, 0), shape),
        f"{ours}/patches/bias": f"{projection}.bias",
    }


def position_names(config: Config, table: str, tokens: int, *, lead: bool = True) -> Names:
    """Name the positions of extra tokens and patches, one table in the reference.

    Args:
        config: The configuration.
        table: The table.
        tokens: Number of extra tokens that have positions, its first rows.
        lead: Whether the table has an axis of size 1 before its rows.
    """
    shape = (tokens + grid(config) ** 2, config["hidden_size"])
    shape = (1, *shape) if lead else shape
    return {
        "embed/token_positions": Rows(table, shape=shape),
        "embed/position/embedding": Rows(table, shape=shape, start=tokens),
    }


def tower_names(theirs: str) -> Names:
    """Name the weights of a layer of CLIP's towers and their relatives, which they call so."""
    ours = "stack/layer_{i}"
    parts = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "out_proj"}
    return {
        f"{ours}/attention_norm": f"{theirs}.layer_norm1",
        **{f"{ours}/attention/{part}": f"{theirs}.self_attn.{one}" for part, one in parts.items()},
        f"{ours}/mlp_norm": f"{theirs}.layer_norm2",
        f"{ours}/mlp/up": f"{theirs}.mlp.fc1",
        f"{ours}/mlp/down": f"{theirs}.mlp.fc2",
    }
