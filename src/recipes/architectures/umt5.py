"""UMT5: mT5 with a relative bias of each layer's own.

References:
    Chung et al., UniMax, 2023, arXiv:2304.09151.
"""

import dataclasses

from blocks import EncoderDecoder, RelativeBias, SharedRelativeBias, replace
from recipes.architectures import t5
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""

    def own(shared: SharedRelativeBias) -> RelativeBias:
        return RelativeBias(
            num_buckets=shared.num_buckets,
            max_distance=shared.max_distance,
            bidirectional=shared.bidirectional,
        )

    return replace(t5.build(config), SharedRelativeBias, own)


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    table = t5.FAMILY.names(config)
    return {ours.replace("shared_relative_bias", "relative_bias"): table[ours] for ours in table}


FAMILY = dataclasses.replace(
    t5.FAMILY, build=build, names=names, defaults={"feed_forward_proj": "gated-gelu"}
)
register("umt5", FAMILY)
