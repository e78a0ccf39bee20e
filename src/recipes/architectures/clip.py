"""CLIP: a tower for texts and one for images, and the scores of all pairs.

References:
    Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021,
    arXiv:2103.00020.
"""

from typing import Any

from blocks.models import TwoTowers
from recipes.architectures import clip_text, clip_vision
from recipes.architectures.vision import images
from recipes.weights.config import Config
from recipes.weights.families import Family, register, token_ids
from recipes.weights.rules import Names, Tensor, within


def side(config: Config, name: str) -> Config:
    """Read the fields of one tower, whose projection is as wide as that of the other."""
    part = config.part(name)
    # Files of earlier years repeat fields here, which count.
    part.fields |= config.get(f"{name}_dict", {})
    return part.changed({**part.fields, "projection_dim": config.get("projection_dim", 512)})


def build(config: Config) -> TwoTowers:
    """Build both towers, texts first."""
    return TwoTowers(
        first=clip_text.build(side(config, "text_config")),
        second=clip_vision.build(side(config, "vision_config")),
        scale_init=config.get("logit_scale_init_value", 2.6592),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    return {
        **within(clip_text.names(side(config, "text_config")), "first", ""),
        **within(clip_vision.names(side(config, "vision_config")), "second", ""),
        "scale": Tensor("logit_scale"),
    }


def texts_and_images(config: Config) -> tuple[Any, ...]:
    """Inputs of two towers: token ids, and images, channels last."""
    return (*token_ids(config), *images(side(config, "vision_config")))


FAMILY = Family(build=build, names=names, inputs=texts_and_images, buffers=("*.position_ids",))
register("clip", FAMILY)
