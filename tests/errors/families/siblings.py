"""Mistakes with the siblings of multi-head attention, and with caches of windows."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import X, mistake, shapes, told

from blocks import (
    Causal,
    ChunkedAttention,
    Context,
    CudnnAttention,
    DifferentialAttention,
    LatentAttention,
    MultiHeadAttention,
    RingCache,
)
from blocks.attention import TalkingHeadsAttention

LATENT = {"num_heads": 2, "head_dim": 4, "rope_dim": 2, "kv_rank": 4}
AHEAD = (
    "mask=None can see ahead, which a cache of past tokens cannot serve; use Causal(), or leave "
)

CASES = (
    told(
        "TalkingHeadsAttention kernel",
        lambda: TalkingHeadsAttention(num_heads=2, implementation=ChunkedAttention()),
        ValueError,
        (
            "TalkingHeadsAttention: implementation=ChunkedAttention(query_chunk=512, "
            "key_chunk=512) keeps its weights to itself, and talking heads mix them"
        ),
    ),
    told(
        "TalkingHeadsAttention heads",
        lambda: shapes(TalkingHeadsAttention(num_heads=3), X),
        ValueError,
        "TalkingHeadsAttention: num_heads=3 must divide embed=8",
    ),
    told(
        "TalkingHeadsAttention cache sees ahead",
        lambda: shapes(TalkingHeadsAttention(num_heads=2), X, Context(cache_size=3)),
        ValueError,
        (
            "TalkingHeadsAttention: mask=None can see ahead, which a cache of past tokens cannot "
            "serve"
        ),
    ),
    told(
        "DifferentialAttention layer",
        lambda: DifferentialAttention(num_heads=2, layer=0),
        ValueError,
        "DifferentialAttention: layer=0 must be at least 1",
    ),
    told(
        "DifferentialAttention as many heads as features",
        lambda: shapes(DifferentialAttention(num_heads=8, layer=1), X),
        ValueError,
        (
            "DifferentialAttention: num_heads=8 must divide half of embed=8, as every head has "
            "two queries"
        ),
    ),
    told(
        "DifferentialAttention heads of an odd width",
        lambda: shapes(DifferentialAttention(num_heads=2, layer=1), X[..., :7]),
        ValueError,
        "DifferentialAttention: embed=7 is odd, and every head has two queries",
    ),
    told(
        "DifferentialAttention num_kv_heads",
        lambda: DifferentialAttention(num_heads=6, num_kv_heads=4, layer=1),
        ValueError,
        "DifferentialAttention: num_kv_heads=4 must divide num_heads=6",
    ),
    told(
        "LatentAttention num_kv_heads",
        lambda: LatentAttention(**LATENT, num_kv_heads=1),
        TypeError,
        "LatentAttention: no field `num_kv_heads`",
    ),
    told(
        "LatentAttention odd rope_dim",
        lambda: shapes(LatentAttention(**{**LATENT, "rope_dim": 3}), X),
        ValueError,
        "LatentAttention: rope_dim=3 with position=RoPE() turns 3 features, which are no pairs",
    ),
    told(
        "LatentAttention kernel",
        lambda: LatentAttention(**LATENT, implementation=CudnnAttention()),
        ValueError,
        (
            "LatentAttention: implementation=CudnnAttention() does not support values of another "
            "width than keys, 4 and 6"
        ),
    ),
    told(
        "LatentAttention cache sees ahead",
        lambda: shapes(LatentAttention(**LATENT), X, Context(cache_size=3)),
        ValueError,
        "LatentAttention: mask=None can see ahead, which a cache of past tokens cannot serve",
    ),
    told(
        "LatentAttention cache too small",
        lambda: shapes(LatentAttention(**LATENT, mask=Causal()), X, Context(cache_size=2)),
        ValueError,
        "LatentAttention: seq=3 tokens do not fit into a cache of 2 slots",
    ),
    told(
        "RingCache without a window",
        lambda: MultiHeadAttention(num_heads=2, mask=Causal(), cache=RingCache()),
        ValueError,
        (
            "MultiHeadAttention: cache=RingCache() keeps a window of the tokens, but "
            "mask=Causal() can see all of them"
        ),
    ),
    told(
        "RingCache without a mask",
        lambda: LatentAttention(**LATENT, cache=RingCache()),
        ValueError,
        (
            "LatentAttention: cache=RingCache() keeps a window of the tokens, but mask=None can "
            "see all of them"
        ),
    ),
    mistake(
        "MultiHeadAttention cache as a switch",
        lambda: MultiHeadAttention(num_heads=2, cache=True),
        TypeError,
        "MultiHeadAttention: field `cache` cannot hold this",
        "  expected: Cache",
        "  actual:   True",
        "  fix:      a call turns caches on, Context(cache_size=...); the field says what they "
        "keep",
    ),
)
