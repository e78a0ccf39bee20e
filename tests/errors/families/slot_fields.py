"""Mistakes in the fields of masks, slots, kernels and the context."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import mistake

from blocks import (
    ALiBi,
    Auto,
    Causal,
    ChunkedAttention,
    ChunkedLocal,
    Context,
    Dilated,
    FullWidthQKNorm,
    LearnedSinks,
    LinearScaling,
    Prefix,
    QKNorm,
    RelativeBias,
    RMSNorm,
    RoPE,
    SlidingWindow,
    SoftCap,
    SoftmaxOne,
)

CASES = (
    mistake(
        "SlidingWindow window",
        lambda: SlidingWindow(0),
        ValueError,
        "SlidingWindow: window=0 must be at least 1, the token itself.",
    ),
    mistake(
        "SlidingWindow window 2",
        lambda: SlidingWindow(2.0),
        TypeError,
        "SlidingWindow: field `window` cannot hold this",
        "  expected: int",
        "  actual:   2.0",
        "  fix:      write 2",
    ),
    mistake(
        "SlidingWindow windw",
        lambda: SlidingWindow(windw=3),
        TypeError,
        "SlidingWindow: no field `windw`; did you mean `window`?",
    ),
    mistake(
        "SlidingWindow window 3",
        lambda: SlidingWindow(),
        TypeError,
        "SlidingWindow: the field `window` is missing; write SlidingWindow(window=...).",
    ),
    mistake(
        "ChunkedLocal size",
        lambda: ChunkedLocal(0),
        ValueError,
        "ChunkedLocal: size=0 must be at least 1, the token itself.",
    ),
    mistake(
        "Dilated step",
        lambda: Dilated(0),
        ValueError,
        "Dilated: step=0 must be at least 1, which sees every token.",
    ),
    mistake(
        "Prefix length", lambda: Prefix(-1), ValueError, "Prefix: length=-1 must be at least 0."
    ),
    mistake(
        "Causal right",
        lambda: Causal() & 3,
        TypeError,
        "And: field `right` cannot hold this",
        "  expected: Mask",
        "  actual:   3",
    ),
    mistake(
        "Causal and",
        lambda: Causal() and Causal(),
        TypeError,
        (
            "a mask is neither true nor false: combine masks with `&`, `|` and `~` instead "
            "of `and`, `or` and `not`."
        ),
    ),
    mistake(
        "RoPE theta",
        lambda: RoPE(theta="1e4"),
        TypeError,
        "RoPE: field `theta` cannot hold this",
        "  expected: float",
        "  actual:   '1e4'",
        "  fix:      write 10000.0, without quotes",
    ),
    mistake(
        "RoPE scaling",
        lambda: RoPE(scaling="yarn"),
        TypeError,
        "RoPE: field `scaling` cannot hold this",
        "  expected: RoPEScaling | None",
        "  actual:   'yarn'",
        "  fix:      write YaRN(...), a value instead of its name",
    ),
    mistake(
        "LinearScaling factor",
        lambda: LinearScaling(factor=0.0),
        ValueError,
        "LinearScaling: factor=0.0 must be positive.",
    ),
    mistake(
        "ChunkedAttention query_chunk",
        lambda: ChunkedAttention(query_chunk=0),
        ValueError,
        "ChunkedAttention: query_chunk=0 must be at least 1; 512 is usual.",
    ),
    mistake(
        "Auto many",
        lambda: Auto(many=0),
        ValueError,
        "Auto: many=0 must be at least 1; 524288 is usual.",
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
        (
            "Context: no field `mask`; there are positions, valid, segment_ids, token_type_ids,"
            " tokens, memory, memory_valid, memory_segment_ids, x0, condition, carry, extras,"
            " streams, cache_size."
        ),
    ),
    mistake(
        "SoftCap cap",
        lambda: SoftCap(cap=0.0),
        ValueError,
        "SoftCap: cap=0.0 must be positive; Gemma 2 has 50.",
    ),
    mistake(
        "RelativeBias num_buckets",
        lambda: RelativeBias(num_buckets=3),
        ValueError,
        "RelativeBias: num_buckets=3 must be even and at least 4.",
    ),
    mistake(
        "QKNorm norm",
        lambda: QKNorm(norm=None),
        TypeError,
        "QKNorm: field `norm` cannot hold this",
        "  expected: Module",
        "  actual:   None",
    ),
    mistake(
        "LearnedSinks sinks_init",
        lambda: LearnedSinks(sinks_init=0.0),
        TypeError,
        "LearnedSinks: field `sinks_init` cannot hold this",
        "  expected: Callable[..., Array]",
        "  actual:   0.0",
        "  fix:      pass an initialiser, as Normal(0.0)",
    ),
    mistake(
        "ALiBi slopes",
        lambda: ALiBi(slopes=2),
        TypeError,
        "ALiBi: no field `slopes`; there is none.",
    ),
    mistake(
        "FullWidthQKNorm norm",
        lambda: FullWidthQKNorm(norm=RMSNorm),
        TypeError,
        "FullWidthQKNorm: field `norm` cannot hold this",
        "  expected: Module",
        "  actual:   RMSNorm",
        "  fix:      it is the class; write RMSNorm(...)",
    ),
    mistake(
        "SoftmaxOne names",
        lambda: SoftmaxOne(1),
        TypeError,
        "SoftmaxOne: fields are given by name; write SoftmaxOne().",
    ),
)
