"""Two towers of any two models: an encoder of images and one of texts, compared as in CLIP.

References:
    Zhai et al., LiT: Zero-Shot Transfer with Locked-image text Tuning, 2021, arXiv:2111.07991.
"""

from typing import Any

from blocks.heads import DensePool, FirstToken, PooledHead
from blocks.models import TwoTowers
from recipes.architectures.pairs import BODIES, encoder_of, side
from recipes.weights.config import Config
from recipes.weights.families import Family, register, token_ids
from recipes.weights.rules import Names, Tensor, within

# A tower of CLIP has no layer behind its class token.
BARE = "clip_vision_model"


def build(config: Config) -> TwoTowers:
    """Build both towers, texts first."""
    features = config.get("projection_dim", 512)
    bare = config.part("vision_config")["model_type"] == BARE
    head = PooledHead(pool=DensePool(), features=features)
    images = PooledHead(pool=FirstToken(), features=features) if bare else head
    return TwoTowers(
        first=encoder_of(config, "text_config", head),
        second=encoder_of(config, "vision_config", images),
        scale_init=config.get("logit_scale_init_value", 2.6592),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    text, texts = side(config, "text_config", BODIES)
    vision, images = side(config, "vision_config", BODIES)
    # A tower of CLIP brings the start of its names along.
    start = "" if vision["model_type"] == BARE else "vision_model."
    return {
        **within(texts.names(text), "first", "text_model."),
        **within(images.names(vision), "second", start),
        "first/head/projection": "text_projection",
        "second/head/projection": "visual_projection",
        "scale": Tensor("logit_scale"),
    }


def texts_and_images(config: Config) -> tuple[Any, ...]:
    """Inputs of two towers: token ids, and images, channels last."""
    vision, images = side(config, "vision_config", BODIES)
    return (*token_ids(config), *images.inputs(vision))


BUFFERS = ("*.position_ids", "*.token_type_ids", "*.mask_token")
FAMILY = Family(build=build, names=names, inputs=texts_and_images, buffers=BUFFERS)
register("vision-text-dual-encoder", FAMILY)
