"""CLIP's vision tower: a norm before the layers, and a projection of the class token.

References:
    Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021,
    arXiv:2103.00020.
"""

from blocks import Encoder
from blocks.heads import FirstToken, PooledHead
from recipes.architectures.vision import (
    images,
    layers,
    norm,
    patch_names,
    patches,
    position_names,
    tower_names,
)
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names, Tensor


def build(config: Config) -> Encoder:
    """Build the tower with its projection of the class token."""
    activation = config.get("hidden_act", "quick_gelu")
    return Encoder(
        embed=patches(
            config,
            extra_tokens=1,
            token_positions=1,
            use_bias=False,
            embedding_norm=norm(config, 1e-5),
        ),
        stack=layers(config.changed({**config.fields, "hidden_act": activation}), epsilon=1e-5),
        norm=norm(config, 1e-5),
        head=PooledHead(pool=FirstToken(), features=config.get("projection_dim", 512)),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    start = "vision_model"
    theirs = f"{start}.embeddings"
    table = f"{theirs}.position_embedding.weight"
    return {
        "embed/tokens": Tensor(f"{theirs}.class_embedding", shape=(config["hidden_size"],)),
        **position_names(config, table, 1, lead=False),
        **patch_names(config, f"{theirs}.patch_embedding"),
        "embed/embedding_norm": f"{start}.pre_layrnorm",
        **tower_names(f"{start}.encoder.layers.{{i}}"),
        "norm": f"{start}.post_layernorm",
        "head/projection": "visual_projection",
    }


# Files of earlier years keep the numbers of the positions.
FAMILY = Family(build=build, names=names, inputs=images, buffers=("*.position_ids",))
register("CLIPVisionModelWithProjection", FAMILY)
