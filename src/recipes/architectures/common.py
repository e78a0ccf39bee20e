"""Parts and names that many families read from the same configuration fields."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax

from blocks import (
    Causal,
    CausalLM,
    Llama3Scaling,
    LMHead,
    MultiHeadAttention,
    RoPE,
    SlidingWindow,
    Stack,
    YaRN,
    gelu,
    override,
)
from blocks.attention.masks import Mask
from blocks.mlp import quick_gelu, squared_relu
from blocks.positions import DynamicNTKScaling, LinearScaling, LongRoPE
from blocks.positions.scalings import RoPEScaling
from recipes.errors import RecipeError
from recipes.weights.config import Config
from recipes.weights.rules import Names, Part

Activation = Callable[[jax.Array], jax.Array]

# The reference's names: its `gelu` is the exact one, and `gelu_new` the approximation by tanh.
ACTIVATIONS: dict[str, Activation] = {
    "gelu": gelu,
    "gelu_new": jax.nn.gelu,
    "gelu_fast": jax.nn.gelu,
    "gelu_pytorch_tanh": jax.nn.gelu,
    "gelu_python": gelu,
    "quick_gelu": quick_gelu,
    "relu": jax.nn.relu,
    "relu2": squared_relu,
    "sigmoid": jax.nn.sigmoid,
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "tanh": jax.numpy.tanh,
}


def activation(name: str) -> Activation:
    """Look up an activation by the reference's name.

    Raises:
        RecipeError: An unknown name.
    """
    if name not in ACTIVATIONS:
        raise RecipeError(
            f"config.json asks for the activation {name!r}, which is not known.",
            f"Known: {', '.join(sorted(ACTIVATIONS))}.",
        )
    return ACTIVATIONS[name]


def head(config: Config, *, tied: bool = False, **options: Any) -> LMHead:
    """Build the head on the vocabulary, tied or not.

    Args:
        config: The configuration.
        tied: What a configuration without the field means.
        **options: Fields of the head besides.
    """
    if config.get("tie_word_embeddings", tied):
        return LMHead(tied=True, **options)
    return LMHead(vocab_size=config["vocab_size"], **options)


def causal(window: int | None = None) -> Mask:
    """Build the mask of a decoder's layer, with a window if it has one."""
    return Causal() if window is None else Causal() & SlidingWindow(window)


def layers(kinds: Sequence[Any], make: Callable[[Any], nn.Module]) -> Stack:
    """Stack layers of several kinds, as the shortest pattern that repeats.

    Args:
        kinds: Kind of each layer.
        make: Builds the layer of a kind.
    """
    depth = len(kinds)
    period = next(
        period
        for period in range(1, depth + 1)
        if depth % period == 0 and list(kinds) == list(kinds[:period]) * (depth // period)
    )
    pattern = tuple(make(kind) for kind in kinds[:period])
    return Stack(block=pattern[0] if period == 1 else pattern, depth=depth)


def every(config: Config, period: int) -> list[str]:
    """Kinds of layers where every `period`-th is full, and the others have a window."""
    depth = config["num_hidden_layers"]
    return [
        "sliding_attention" if (index + 1) % period else "full_attention" for index in range(depth)
    ]


def fused_qkv(ours: str, theirs: str, sizes: tuple[int, int, int], **options: Any) -> Names:
    """Name queries, keys and values that are one matrix in the reference.

    Args:
        ours: The attention.
        theirs: The fused matrix.
        sizes: Outputs of each of the three, within a group.
        **options: Fields of `Part`: `groups` where heads have their three side by side.
    """
    return {
        f"{ours}/{name}": Part(theirs, index=index, sizes=sizes, **options)
        for index, name in enumerate(("query", "key", "value"))
    }


def gate_up(ours: str, theirs: str, hidden: int) -> Names:
    """Name the weights of a gated MLP whose two maps are one in the reference, the gate first."""
    return {
        f"{ours}/{name}": Part(theirs, index=index, sizes=(hidden, hidden))
        for index, name in enumerate(("gate", "up"))
    }


def windowed(config: Config, kinds: Sequence[str], model: CausalLM) -> CausalLM:
    """Give layers that are `sliding_attention` the window that the configuration has.

    Args:
        config: The configuration.
        kinds: Kind of each layer, `full_attention` or `sliding_attention`.
        model: A model of one kind of layer.
    """
    block, window = model.stack.block, config.get("sliding_window")

    def make(kind: str) -> nn.Module:
        sliding = kind == "sliding_attention"
        return override(block, MultiHeadAttention, mask=causal(window if sliding else None))

    return override(model, CausalLM, stack=layers(kinds, make))


def rotary(
    config: Config, *, kind: str | None = None, fraction: float | None = None, **options: Any
) -> RoPE:
    """Build the rotary positions: `rope_parameters`, or `rope_theta` and `rope_scaling` before it.

    Args:
        config: The configuration.
        kind: Kind of layer, where `rope_parameters` holds one entry for each kind.
        fraction: Share of a head that is turned in a configuration without the field; None where
            the family turns whole heads, which then refuses the field.
        **options: Fields of `RoPE`: `theta` where the configuration has none.
    """
    # Bounds, which rotary positions do not have where they are not scaled.
    config.ignore("max_position_embeddings", "original_max_position_embeddings")
    rope = rotary_fields(config, kind)
    theta = config.get("rope_theta", options.pop("theta", 10_000.0))
    turned = 1.0
    if fraction is not None:
        outer = config.get("partial_rotary_factor", fraction)
        turned = rope.get("partial_rotary_factor", outer)
    elif rope.fields.get("partial_rotary_factor") == turned:
        rope.ignore("partial_rotary_factor")
    return RoPE(
        theta=float(rope.get("rope_theta", theta)),
        fraction=turned,
        scaling=scaling(rope, config),
        **options,
    )


def rotary_fields(config: Config, kind: str | None = None) -> Config:
    """Read the fields of rotary positions, of one kind of layer where each has its own."""
    config.ignore("rope_scaling")
    name = "rope_parameters" if "rope_parameters" in config else "rope_scaling"
    rope = config.part(name) if name in config else Config({})
    if kind is not None and kind in rope:
        rope.ignore("full_attention", "sliding_attention")  # There may be no such layer.
        rope = rope.part(kind)
    # Fields of a scaling that another one, or none, has no use for.
    rope.ignore("rope_type", "type", "factor", "original_max_position_embeddings", "truncate")
    rope.ignore("attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim")
    rope.ignore("low_freq_factor", "high_freq_factor", "short_factor", "long_factor")
    return rope


def scaling(rope: Config, config: Config) -> RoPEScaling | None:
    """Build the scaling of the frequencies; None for the default.

    Raises:
        RecipeError: An unknown kind of scaling.
    """
    kind = rope.get("rope_type", rope.get("type", "default"))
    trained = rope.get("original_max_position_embeddings") or config.get(
        "original_max_position_embeddings", config.get("max_position_embeddings", 2048)
    )
    if kind == "default":
        return None
    factor = rope.get("factor", 1.0)
    if kind == "linear":
        return LinearScaling(factor=factor)
    if kind == "dynamic":
        length = config.get("max_position_embeddings", trained)
        return DynamicNTKScaling(factor=factor, trained_length=trained, length=length)
    if kind == "llama3":
        slow, fast = rope.get("low_freq_factor", 1.0), rope.get("high_freq_factor", 4.0)
        return Llama3Scaling(factor=factor, trained_length=trained, slow=slow, fast=fast)
    if kind == "yarn":
        return yarn(rope, trained)
    if kind == "longrope":
        longest = config.get("max_position_embeddings", trained)
        stretch = rope.get("factor") or longest / trained
        long = longest > trained
        growth = rope.get("attention_factor") or LongRoPE.growth_of(stretch, trained)
        return LongRoPE(
            factors=tuple(rope["long_factor" if long else "short_factor"]), growth=growth
        )
    raise RecipeError(
        f"config.json asks for the rotary scaling {kind!r}, which is not known.",
        "Known: default, linear, dynamic, llama3, yarn, longrope.",
    )


def yarn(rope: Config, trained: int) -> YaRN:
    """Build YaRN, with the factor on rotated features that the fields amount to."""
    factor = rope.get("factor", 1.0)
    growth = rope.get("attention_factor")
    if growth is None and rope.get("mscale") and rope.get("mscale_all_dim"):
        growth = mscale(factor, rope["mscale"]) / mscale(factor, rope["mscale_all_dim"])
    return YaRN(
        factor=factor,
        trained_length=trained,
        fast=rope.get("beta_fast") or 32.0,
        slow=rope.get("beta_slow") or 1.0,
        growth=growth,
        rounded=rope.get("truncate", True),
    )


def mscale(factor: float, scale: float) -> float:
    """Compute YaRN's factor for a stretch of the context, weighed by a scale."""
    return 0.1 * scale * math.log(factor) + 1.0 if factor > 1.0 else 1.0
