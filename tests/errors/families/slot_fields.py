"""Mistakes in the fields of masks, slots, kernels and the context."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import MASK, X, mistake, shapes, told

from blocks import (
    Auto,
    Causal,
    ChunkedAttention,
    ChunkedLocal,
    Context,
    MultiHeadAttention,
    Prefix,
    QKNorm,
    RelativeBias,
    RoPE,
    SlidingWindow,
    SoftCap,
)
from blocks.attention.masks import Dilated
from blocks.positions import GridBias, GridRoPE, LinearScaling

CASES = (
    told(
        "SlidingWindow window",
        lambda: SlidingWindow(0),
        ValueError,
        "SlidingWindow: window=0 must be at least 1, the token itself.",
    ),
    told(
        "SlidingWindow window 2",
        lambda: SlidingWindow(2.0),
        TypeError,
        "SlidingWindow: field `window`",
        "write 2",
    ),
    told(
        "SlidingWindow windw",
        lambda: SlidingWindow(windw=3),
        TypeError,
        "SlidingWindow: no field `windw`",
    ),
    told(
        "SlidingWindow window 3",
        lambda: SlidingWindow(),
        TypeError,
        "SlidingWindow: the field `window` is missing",
    ),
    told(
        "ChunkedLocal size",
        lambda: ChunkedLocal(0),
        ValueError,
        "ChunkedLocal: size=0 must be at least 1, the token itself.",
    ),
    told(
        "Dilated step",
        lambda: Dilated(0),
        ValueError,
        "Dilated: step=0 must be at least 1, which sees every token.",
    ),
    told(
        "Prefix length",
        lambda: Prefix(-1),
        ValueError,
        "Prefix: length=-1 must be at least 0.",
    ),
    told(
        "Causal right",
        lambda: Causal() & 3,
        TypeError,
        "And: field `right`",
        "expected: Mask",
    ),
    told(
        "Causal and",
        lambda: Causal() and Causal(),
        TypeError,
        (
            "a mask is neither true nor false: combine masks with `&`, `|` and `~` instead of "
            "`and`, `or` and `not`."
        ),
    ),
    told(
        "RoPE theta",
        lambda: RoPE(theta="1e4"),
        TypeError,
        "RoPE: field `theta`",
        "write 10000.0, without quotes",
    ),
    told(
        "RoPE scaling",
        lambda: RoPE(scaling="yarn"),
        TypeError,
        "RoPE: field `scaling`",
        "write YaRN(...), a value instead of its name",
    ),
    told(
        "LinearScaling factor",
        lambda: LinearScaling(factor=0.0),
        ValueError,
        "LinearScaling: factor=0.0 must be positive.",
    ),
    told(
        "ChunkedAttention query_chunk",
        lambda: ChunkedAttention(query_chunk=0),
        ValueError,
        "ChunkedAttention: query_chunk=0 must be at least 1",
    ),
    told(
        "Auto many",
        lambda: Auto(many=0),
        ValueError,
        "Auto: many=0 must be at least 1",
    ),
    mistake(
        "Context cache_size",
        lambda: Context(cache_size=0),
        ValueError,
        "Context: cache_size=0 must be a whole number of tokens, at least 1.",
    ),
    mistake(
        "Context mask",
        lambda: Context(mask=3),
        TypeError,
        f"Context: no field `mask`; {MASK}.",
    ),
    told(
        "SoftCap cap",
        lambda: SoftCap(cap=0.0),
        ValueError,
        "SoftCap: cap=0.0 must be positive",
    ),
    told(
        "RelativeBias num_buckets",
        lambda: RelativeBias(num_buckets=3),
        ValueError,
        "RelativeBias: num_buckets=3 must be even and at least 4.",
    ),
    told(
        "GridBias another grid",
        lambda: shapes(MultiHeadAttention(num_heads=2, scores=(GridBias(rows=2, columns=3),)), X),
        ValueError,
        "GridBias at `grid_bias`: rows=2, columns=3 and extra_tokens=1 are 7 tokens of an image,",
        "the call has 3; give rows and columns the numbers of patches.",
    ),
    told(
        "GridRoPE theta",
        lambda: GridRoPE(rows=2, columns=2, theta=0.0),
        ValueError,
        "GridRoPE: theta=0.0 must be positive; 100 is usual.",
    ),
    told(
        "GridRoPE head_dim",
        lambda: shapes(
            MultiHeadAttention(
                num_heads=2, head_dim=6, position=GridRoPE(rows=1, columns=2, extra_tokens=1)
            ),
            X,
        ),
        ValueError,
        "GridRoPE at `position`: head_dim=6 must be a multiple of 4: pairs for two axes.",
    ),
    told(
        "QKNorm norm",
        lambda: QKNorm(norm=None),
        TypeError,
        "QKNorm: field `norm`",
        "expected: Module",
    ),
)
