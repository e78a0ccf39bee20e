"""SigLIP's towers: images pooled by a learned query with an MLP, texts by their last token.

References:
    Zhai et al., Sigmoid Loss for Language Image Pre-Training, 2023, arXiv:2303.15343.
"""

from blocks import MLP, CrossAttention, Encoder, LearnedPositions, TokenEmbedding
from blocks.heads import LastToken, MultiHeadPool, PooledHead
from recipes.architectures.common import activation
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
from recipes.weights.rules import Names, Part, Tensor


def _filled(config: Config) -> Config:
    """The configuration with this family's activation, where it has none."""
    config.ignore("projection_dim")
    act = config.get("hidden_act", "gelu_pytorch_tanh")
    return config.changed({**config.fields, "hidden_act": act})


def vision(config: Config) -> Encoder:
    """Build the tower of images, which gives one vector of each, or those of all patches."""
    config = _filled(config)
    mlp = MLP(hidden=config["intermediate_size"], activation=activation(config["hidden_act"]))
    attention = CrossAttention(num_heads=config["num_attention_heads"])
    pool = MultiHeadPool(attention=attention, mlp=mlp, norm=norm(config, 1e-6))
    return Encoder(
        embed=patches(config),
        stack=layers(config, epsilon=1e-6),
        norm=norm(config, 1e-6),
        head=PooledHead(pool=pool) if config.get("vision_use_head", True) else None,
    )


def text(config: Config) -> Encoder:
    """Build the tower of texts, all padded to one length, whose last token counts."""
    config = _filled(config)
    width = config["hidden_size"]
    positions = LearnedPositions(max_length=config.get("max_position_embeddings", 64))
    features = config.get("projection_size", width)
    return Encoder(
        embed=TokenEmbedding(vocab_size=config["vocab_size"], features=width, position=positions),
        stack=layers(config, epsilon=1e-6),
        norm=norm(config, 1e-6),
        head=PooledHead(pool=LastToken(), features=features, use_bias=True),
    )


def vision_names(config: Config) -> Names:
    """Name the weights of the tower of images."""
    width, theirs, pool = config["hidden_size"], "head", "head/pool"
    fused = {"kernel": "weight", "bias": "bias"}
    return {
        **position_names(config, "embeddings.position_embedding.weight", 0, lead=False),
        **patch_names(config, "embeddings.patch_embedding"),
        **tower_names("encoder.layers.{i}"),
        "norm": "post_layernorm",
        f"{pool}/query": Tensor(f"{theirs}.probe", shape=(1, 1, width)),
        **{
            f"{pool}/attention/{name}/{leaf}": Part(
                f"{theirs}.attention.in_proj_{end}", index=index, sizes=(width,) * 3
            )
            for index, name in enumerate(("query", "key", "value"))
            for leaf, end in fused.items()
        },
        f"{pool}/attention/out": f"{theirs}.attention.out_proj",
        f"{pool}/norm": f"{theirs}.layernorm",
        f"{pool}/mlp/up": f"{theirs}.mlp.fc1",
        f"{pool}/mlp/down": f"{theirs}.mlp.fc2",
    }


def text_names(config: Config) -> Names:
    """Name the weights of the tower of texts."""
    return {
        "embed": "embeddings.token_embedding",
        "embed/position": "embeddings.position_embedding",
        **tower_names("encoder.layers.{i}"),
        "norm": "final_layer_norm",
        "head/projection": "head",
    }


# Files of earlier years keep the numbers of the positions.
IDS = ("*.position_ids",)
IMAGES = Family(build=vision, names=vision_names, inputs=images, buffers=IDS)
register("siglip_vision_model", IMAGES)
register("siglip_text_model", Family(build=text, names=text_names, buffers=IDS))
