"""Mistakes with linear attention, its feature maps, and what keeps a state."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import flax.linen as nn
import jax.numpy as jnp
from errors.case import TOKENS, WIDE, X, on, shapes, told

from blocks import ALiBi, Causal, Context, GatedDeltaNet, LinearAttention, SlidingWindow
from blocks.attention import ClipValue
from blocks.recurrent import (
    FeatureMap,
    Hedgehog,
    HedgehogDistillation,
    ShortConvolution,
)

heads = jnp.ones((2, 3, 2, 4))  # batch, seq, heads, head_dim


class Silent(FeatureMap, kw_only=True):
    """A user's feature map without a call."""


CASES = (
    told(
        "LinearAttention mask",
        lambda: LinearAttention(num_heads=2, mask=Causal() & SlidingWindow(4)),
        ValueError,
        (
            "LinearAttention: mask=(Causal() & SlidingWindow(window=4)) has no linear form, as a "
            "state sums up all that came before"
        ),
    ),
    told(
        "LinearAttention heads",
        lambda: shapes(LinearAttention(num_heads=3), X),
        ValueError,
        "LinearAttention: num_heads=3 must divide embed=8",
    ),
    told(
        "LinearAttention num_kv_heads",
        lambda: LinearAttention(num_heads=6, num_kv_heads=4),
        ValueError,
        "LinearAttention: num_kv_heads=4 must divide num_heads=6",
    ),
    told(
        "LinearAttention feature_map by name",
        lambda: LinearAttention(num_heads=2, feature_map="elu"),
        TypeError,
        "LinearAttention: field `feature_map`",
        "write EluFeatures(...), a value instead of its name",
    ),
    told(
        "LinearAttention feature_map as a function",
        lambda: LinearAttention(num_heads=2, feature_map=nn.elu),
        TypeError,
        "LinearAttention: field `feature_map`",
        "call it, if it makes what is expected: elu(...)",
    ),
    told(
        "LinearAttention position",
        lambda: LinearAttention(num_heads=2, position=ALiBi()),
        TypeError,
        "LinearAttention: field `position`",
        (
            "ALiBi goes into scores=(ALiBi(),) of MultiHeadAttention, "
            "CrossAttention, DifferentialAttention, ..."
        ),
    ),
    told(
        "LinearAttention qk",
        lambda: LinearAttention(num_heads=2, qk=(ClipValue(limit=8.0),)),
        TypeError,
        "LinearAttention: field `qk`",
        (
            "ClipValue goes into values=(ClipValue(limit=8.0),) of MultiHeadAttention, "
            "CrossAttention, DifferentialAttention, ..."
        ),
    ),
    told(
        "LinearAttention scores",
        lambda: LinearAttention(num_heads=2, dropout_rate=0.1),
        TypeError,
        "LinearAttention: no field `dropout_rate`",
    ),
    told(
        "LinearAttention cache sees ahead",
        lambda: shapes(LinearAttention(num_heads=2), X, Context(cache_size=3)),
        ValueError,
        "LinearAttention: mask=None can see ahead, which a cache of past tokens cannot serve",
    ),
    told(
        "LinearAttention cache not returned",
        lambda: on(LinearAttention(num_heads=2, mask=Causal()), (X,), X, Context(cache_size=3)),
        ValueError,
        "LinearAttention: this call writes the collection `cache`, and does not return it",
        'apply(..., mutable=["cache"]), which gives result and variables',
    ),
    told(
        "HedgehogDistillation cache",
        lambda: shapes(HedgehogDistillation(num_heads=2, mask=Causal()), X, Context(cache_size=3)),
        ValueError,
        "HedgehogDistillation keeps no cache",
    ),
    told(
        "Hedgehog features",
        lambda: Hedgehog(features=0),
        ValueError,
        "Hedgehog: features=0 must be at least 1",
    ),
    told(
        "Hedgehog more features than a head",
        lambda: shapes(LinearAttention(num_heads=2, feature_map=Hedgehog(features=6)), X),
        ValueError,
        (
            "Hedgehog at `query_features`: features=6 are more than head_dim=4, and a unit "
            "matrix would start, and keep, those beyond it alike"
        ),
    ),
    told(
        "Hedgehog heads",
        lambda: on(Hedgehog(), (heads,), heads[:, :, :1]),
        TypeError,
        "Hedgehog: argument `x` does not fit the parameter `kernel`",
        "expected: an input for kernel of shape (2, 4, 4), as it was made",
    ),
    told(
        "FeatureMap without a call",
        lambda: shapes(LinearAttention(num_heads=2, feature_map=Silent()), X),
        TypeError,
        "LinearAttention: Silent has no features: give it a `__call__`.",
    ),
    told(
        "GatedDeltaNet heads",
        lambda: shapes(GatedDeltaNet(num_heads=3), X),
        ValueError,
        "GatedDeltaNet: num_heads=3 must divide embed=8",
    ),
    told(
        "GatedDeltaNet num_key_heads",
        lambda: GatedDeltaNet(num_heads=6, num_key_heads=4),
        ValueError,
        "GatedDeltaNet: num_key_heads=4 must divide num_heads=6",
    ),
    told(
        "GatedDeltaNet num_kv_heads",
        lambda: GatedDeltaNet(num_heads=6, num_kv_heads=2),
        TypeError,
        "GatedDeltaNet: no field `num_kv_heads`",
    ),
    told(
        "GatedDeltaNet mask",
        lambda: GatedDeltaNet(num_heads=2, mask=Causal()),
        TypeError,
        "GatedDeltaNet: no field `mask`",
    ),
    told(
        "GatedDeltaNet convolution",
        lambda: GatedDeltaNet(num_heads=2, convolution=4),
        TypeError,
        "GatedDeltaNet: field `convolution`",
        "expected: ShortConvolution | None",
    ),
    told(
        "ShortConvolution tokens",
        lambda: shapes(ShortConvolution(), TOKENS),
        TypeError,
        "ShortConvolution: argument `x`",
        "it looks like token ids; embed them, as TokenEmbedding does",
    ),
    told(
        "ShortConvolution features",
        lambda: on(ShortConvolution(), (X,), WIDE),
        TypeError,
        "ShortConvolution: argument `x` does not fit the parameter `kernel`",
        "expected: an input for kernel of shape (4, 8), as it was made",
    ),
)
