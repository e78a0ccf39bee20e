"""SigLIP: its two towers, and the scores of all pairs of texts and images.

References:
    Zhai et al., Sigmoid Loss for Language Image Pre-Training, 2023, arXiv:2303.15343.
"""

from typing import Any

from blocks.models import TwoTowers
from recipes.architectures import siglip
from recipes.architectures.vision import images
from recipes.weights.config import Config
from recipes.weights.families import Family, register, token_ids
from recipes.weights.rules import Names, Tensor, within


def build(config: Config) -> TwoTowers:
    """Build both towers, texts first; the logits have a bias."""
    return TwoTowers(
        first=siglip.text(config.part("text_config")),
        second=siglip.vision(config.part("vision_config")),
        use_bias=True,
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    return {
        **within(siglip.text_names(config.part("text_config")), "first", "text_model."),
        **within(siglip.vision_names(config.part("vision_config")), "second", "vision_model."),
        "scale": Tensor("logit_scale", shape=(1,)),
        "bias": Tensor("logit_bias", shape=(1,)),
    }


def texts_and_images(config: Config) -> tuple[Any, ...]:
    """Inputs of two towers: token ids, and images, channels last."""
    return (*token_ids(config), *images(config.part("vision_config")))


FAMILY = Family(build=build, names=names, inputs=texts_and_images, buffers=("*.position_ids",))
register("siglip", FAMILY)
