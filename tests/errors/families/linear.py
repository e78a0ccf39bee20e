"""Mistakes with linear attention, its feature maps, and what keeps a state."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import flax.linen as nn
import jax.numpy as jnp
from errors.case import TOKENS, WIDE, X, mistake, on, shapes

from blocks import (
    ALiBi,
    Causal,
    ClipValue,
    Context,
    EluFeatures,
    FeatureMap,
    GatedDeltaNet,
    Hedgehog,
    HedgehogDistillation,
    LinearAttention,
    ShortConvolution,
    SlidingWindow,
    TaylorFeatures,
)

heads = jnp.ones((2, 3, 2, 4))  # batch, seq, heads, head_dim


class Silent(FeatureMap, kw_only=True):
    """A user's feature map without a call."""


CASES = (
    mistake(
        "LinearAttention mask",
        lambda: LinearAttention(num_heads=2, mask=Causal() & SlidingWindow(4)),
        ValueError,
        "LinearAttention: mask=(Causal() & SlidingWindow(window=4)) has no linear form, as a state "
        "sums up all that came before; use Causal() or Bidirectional(), or MultiHeadAttention for "
        "this mask. Padding and documents of the call are kept apart without a mask.",
    ),
    mistake(
        "LinearAttention heads",
        lambda: shapes(LinearAttention(num_heads=3), X),
        ValueError,
        "LinearAttention: num_heads=3 must divide embed=8; use 1, 2, 4 or 8, or give head_dim.",
    ),
    mistake(
        "LinearAttention num_kv_heads",
        lambda: LinearAttention(num_heads=6, num_kv_heads=4),
        ValueError,
        "LinearAttention: num_kv_heads=4 must divide num_heads=6; use 1, 2, 3 or 6.",
    ),
    mistake(
        "LinearAttention chunk_size",
        lambda: LinearAttention(num_heads=2, chunk_size=0),
        ValueError,
        "LinearAttention: chunk_size=0 must be at least 1.",
    ),
    mistake(
        "LinearAttention feature_map by name",
        lambda: LinearAttention(num_heads=2, feature_map="elu"),
        TypeError,
        "LinearAttention: field `feature_map` cannot hold this",
        "  expected: FeatureMap",
        "  actual:   'elu'",
        "  fix:      write EluFeatures(...), a value instead of its name",
    ),
    mistake(
        "LinearAttention feature_map as a function",
        lambda: LinearAttention(num_heads=2, feature_map=nn.elu),
        TypeError,
        "LinearAttention: field `feature_map` cannot hold this",
        "  expected: FeatureMap",
        "  actual:   the function elu",
        "  fix:      the slot holds a block, not a function; if it makes one, call it",
    ),
    mistake(
        "LinearAttention position",
        lambda: LinearAttention(num_heads=2, position=ALiBi()),
        TypeError,
        "LinearAttention: field `position` cannot hold this",
        "  expected: QKTransform | None",
        "  actual:   ALiBi()",
        "  fix:      ALiBi changes scores, which this block has none of; use RoPE() here",
    ),
    mistake(
        "LinearAttention qk",
        lambda: LinearAttention(num_heads=2, qk=(ClipValue(limit=8.0),)),
        TypeError,
        "LinearAttention: field `qk` cannot hold this",
        "  expected: tuple[QKTransform, ...]",
        "  actual:   (ClipValue(limit=8.0),)",
        "  fix:      ClipValue works inside attention: "
        "MultiHeadAttention(values=(ClipValue(limit=8.0),))",
    ),
    mistake(
        "LinearAttention scores",
        lambda: LinearAttention(num_heads=2, dropout_rate=0.1),
        TypeError,
        "LinearAttention: no field `dropout_rate`; there are num_heads, num_kv_heads, head_dim, "
        "features, feature_map, mask, position, qk, chunk_size, use_bias, dtype, "
        "param_dtype, kernel_init, out_kernel_init.",
    ),
    mistake(
        "LinearAttention cache sees ahead",
        lambda: shapes(LinearAttention(num_heads=2), X, Context(cache_size=3)),
        ValueError,
        "LinearAttention: mask=None can see ahead, which a cache of past tokens cannot serve; use "
        "Causal(), or leave cache_size out of the context.",
    ),
    mistake(
        "LinearAttention cache not returned",
        lambda: on(LinearAttention(num_heads=2, mask=Causal()), (X,), X, Context(cache_size=3)),
        ValueError,
        "LinearAttention: this call writes the collection `cache`, and does not return it",
        '  fix:      apply(..., mutable=["cache"]), which gives result and variables',
    ),
    mistake(
        "LinearAttention width",
        lambda: on(LinearAttention(num_heads=2), (X,), WIDE),
        TypeError,
        "Linear at `query`: argument `x` does not fit the parameter `kernel`",
        "  expected: an input for kernel of shape (8, 2, 4), as it was made",
        "  actual:   f32[2,3,16], which asks for kernel of shape (16, 2, 8)",
    ),
    mistake(
        "HedgehogDistillation cache",
        lambda: shapes(HedgehogDistillation(num_heads=2, mask=Causal()), X, Context(cache_size=3)),
        ValueError,
        "HedgehogDistillation keeps no cache; decode with the LinearAttention that it trains.",
    ),
    mistake(
        "Hedgehog features",
        lambda: Hedgehog(features=0),
        ValueError,
        "Hedgehog: features=0 must be at least 1; head_dim is usual.",
    ),
    mistake(
        "Hedgehog more features than a head",
        lambda: shapes(LinearAttention(num_heads=2, feature_map=Hedgehog(features=6)), X),
        ValueError,
        "Hedgehog at `query_features`: features=6 are more than head_dim=4, and a unit matrix "
        "would start, and keep, those beyond it alike; give kernel_init=VarianceScaling().",
    ),
    mistake(
        "Hedgehog rank",
        lambda: shapes(Hedgehog(), heads[0]),
        TypeError,
        "Hedgehog: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq heads head_dim']",
        "  actual:   f32[3,2,4]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "Hedgehog heads",
        lambda: on(Hedgehog(), (heads,), heads[:, :, :1]),
        TypeError,
        "Hedgehog: argument `x` does not fit the parameter `kernel`",
        "  expected: an input for kernel of shape (2, 4, 4), as it was made",
        "  actual:   f32[2,3,1,4], which asks for kernel of shape (1, 4, 4)",
    ),
    mistake(
        "EluFeatures rank",
        lambda: shapes(EluFeatures(), heads[0]),
        TypeError,
        "EluFeatures: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq heads head_dim']",
        "  actual:   f32[3,2,4]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "EluFeatures dtype",
        lambda: shapes(EluFeatures(), heads.astype(jnp.int32)),
        TypeError,
        "EluFeatures: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq heads head_dim']",
        "  actual:   i32[2,3,2,4]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    ),
    mistake(
        "TaylorFeatures rank",
        lambda: shapes(TaylorFeatures(), heads[0]),
        TypeError,
        "TaylorFeatures: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq heads head_dim']",
        "  actual:   f32[3,2,4]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "TaylorFeatures order",
        lambda: TaylorFeatures(order=2),
        TypeError,
        "TaylorFeatures: no field `order`; there is none.",
    ),
    mistake(
        "FeatureMap without a call",
        lambda: shapes(LinearAttention(num_heads=2, feature_map=Silent()), X),
        TypeError,
        "LinearAttention: Silent has no features: give it a `__call__`.",
    ),
    mistake(
        "GatedDeltaNet heads",
        lambda: shapes(GatedDeltaNet(num_heads=3), X),
        ValueError,
        "GatedDeltaNet: num_heads=3 must divide embed=8; use 1, 2, 4 or 8, or give head_dim.",
    ),
    mistake(
        "GatedDeltaNet num_key_heads",
        lambda: GatedDeltaNet(num_heads=6, num_key_heads=4),
        ValueError,
        "GatedDeltaNet: num_key_heads=4 must divide num_heads=6; use 1, 2, 3 or 6.",
    ),
    mistake(
        "GatedDeltaNet num_kv_heads",
        lambda: GatedDeltaNet(num_heads=6, num_kv_heads=2),
        TypeError,
        "GatedDeltaNet: no field `num_kv_heads`; did you mean `num_key_heads`?",
    ),
    mistake(
        "GatedDeltaNet value_dim",
        lambda: GatedDeltaNet(num_heads=2, value_dim=0),
        ValueError,
        "GatedDeltaNet: value_dim=0 must be at least 1.",
    ),
    mistake(
        "GatedDeltaNet mask",
        lambda: GatedDeltaNet(num_heads=2, mask=Causal()),
        TypeError,
        "GatedDeltaNet: no field `mask`; there are num_heads, num_key_heads, head_dim, value_dim, "
        "features, convolution, norm, chunk_size, dtype, param_dtype, kernel_init, "
        "out_kernel_init, rate_init, step_init.",
    ),
    mistake(
        "GatedDeltaNet convolution",
        lambda: GatedDeltaNet(num_heads=2, convolution=4),
        TypeError,
        "GatedDeltaNet: field `convolution` cannot hold this",
        "  expected: ShortConvolution | None",
        "  actual:   4",
    ),
    mistake(
        "GatedDeltaNet width",
        lambda: on(GatedDeltaNet(num_heads=2), (X,), WIDE),
        TypeError,
        "Linear at `query`: argument `x` does not fit the parameter `kernel`",
        "  expected: an input for kernel of shape (8, 2, 4), as it was made",
        "  actual:   f32[2,3,16], which asks for kernel of shape (16, 2, 8)",
    ),
    mistake(
        "ShortConvolution width",
        lambda: ShortConvolution(width=0),
        ValueError,
        "ShortConvolution: width=0 must be at least 1, the token itself.",
    ),
    mistake(
        "ShortConvolution rank",
        lambda: shapes(ShortConvolution(), X[0]),
        TypeError,
        "ShortConvolution: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq channels *more']",
        "  actual:   f32[3,8]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "ShortConvolution tokens",
        lambda: shapes(ShortConvolution(), TOKENS),
        TypeError,
        "ShortConvolution: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq channels *more']",
        "  actual:   i32[2,3]",
        "  fix:      it looks like token ids; embed them first, as TokenEmbedding does",
    ),
    mistake(
        "ShortConvolution swapped",
        lambda: shapes(ShortConvolution(), Context(), X),
        TypeError,
        "ShortConvolution: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq channels *more']",
        "  actual:   Context()",
        "  fix:      they are swapped: `x` comes before `context`",
    ),
    mistake(
        "ShortConvolution features",
        lambda: on(ShortConvolution(), (X,), WIDE),
        TypeError,
        "ShortConvolution: argument `x` does not fit the parameter `kernel`",
        "  expected: an input for kernel of shape (4, 8), as it was made",
        "  actual:   f32[2,3,16], which asks for kernel of shape (4, 16)",
    ),
)
