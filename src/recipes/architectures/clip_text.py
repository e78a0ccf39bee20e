"""CLIP's text tower: a causal encoder, and a projection of the vector at the end of the text.

References:
    Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021,
    arXiv:2103.00020.
"""

from blocks import Causal, Encoder, LearnedPositions, MultiHeadAttention, TokenEmbedding, override
from blocks.heads import MarkedToken, PooledHead
from recipes.architectures.vision import layers, norm, tower_names
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names

# The end of text that the first files name, where the highest id is meant.
UNKNOWN = 2


def build(config: Config) -> Encoder:
    """Build the tower with its projection."""
    end = config.get("eos_token_id", 49407)
    config.ignore("dropout")  # a field of early files that was never used
    activation = config.get("hidden_act", "quick_gelu")
    stack = layers(config.changed({**config.fields, "hidden_act": activation}), epsilon=1e-5)
    return Encoder(
        embed=TokenEmbedding(
            vocab_size=config.get("vocab_size", 49408),
            features=config["hidden_size"],
            position=LearnedPositions(max_length=config.get("max_position_embeddings", 77)),
        ),
        stack=override(stack, MultiHeadAttention, mask=Causal()),
        norm=norm(config, 1e-5),
        head=PooledHead(
            pool=MarkedToken(token_id=None if end == UNKNOWN else end),
            features=config.get("projection_dim", 512),
        ),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    start = "text_model"
    return {
        "embed/embedding": f"{start}.embeddings.token_embedding.weight",
        "embed/position": f"{start}.embeddings.position_embedding",
        **tower_names(f"{start}.encoder.layers.{{i}}"),
        "norm": f"{start}.final_layer_norm",
        "head/projection": "text_projection",
    }


FAMILY = Family(build=build, names=names, buffers=("*.position_ids",))
register("CLIPTextModelWithProjection", FAMILY)
