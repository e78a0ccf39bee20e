"""Mistakes in calls of attention blocks."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax
import jax.numpy as jnp
import numpy as np
from errors.case import ATTEND, CAUSAL, KEY, ODD, TOKENS, WHOLE, WIDE, X, mistake, on, shapes, told

from blocks import AttentionHead, Causal, Context, CrossAttention, MultiHeadAttention

PARAMETERS = (
    '  fix:      pass what init of this model returned, or {"params": params} where you kept '
    "those; an adapter has parameters of its own"
)

CASES = (
    mistake(
        "MultiHeadAttention rank",
        lambda: shapes(ATTEND, X[0]),
        TypeError,
        "MultiHeadAttention: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   f32[3,8]",
        "  fix:      add the batch axis: x[None]",
    ),
    mistake(
        "MultiHeadAttention dtype",
        lambda: shapes(ATTEND, WHOLE),
        TypeError,
        "MultiHeadAttention: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   i32[2,3,8]",
        "  fix:      make it floating point: x.astype(jnp.float32)",
    ),
    mistake(
        "MultiHeadAttention width",
        lambda: on(ATTEND, (X,), WIDE),
        TypeError,
        "Linear at `query`: argument `x` does not fit the parameter `kernel`",
        "  expected: an input for kernel of shape (8, 2, 4), as it was made",
        "  actual:   f32[2,3,16], which asks for kernel of shape (16, 2, 8)",
    ),
    mistake(
        "MultiHeadAttention list",
        lambda: shapes(ATTEND, [[[1.0]]]),
        TypeError,
        "MultiHeadAttention: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   [[[1.0]]]",
        "  fix:      give an array, as jnp.asarray(x)",
    ),
    mistake(
        "MultiHeadAttention text",
        lambda: shapes(ATTEND, "text"),
        TypeError,
        "MultiHeadAttention: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   'text'",
        "  fix:      text becomes token ids first, by a tokenizer",
    ),
    mistake(
        "MultiHeadAttention variables as x",
        lambda: shapes(ATTEND, {"params": {}}),
        TypeError,
        "MultiHeadAttention: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   {'params': {}}",
        "  fix:      give one of its arrays; variables come first, block.apply(variables, ...)",
    ),
    mistake(
        "MultiHeadAttention one axis more",
        lambda: shapes(ATTEND, X[None]),
        TypeError,
        "MultiHeadAttention: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   f32[1,2,3,8]",
        "  fix:      drop the first axis, x[0]",
    ),
    mistake(
        "MultiHeadAttention tokens as x",
        lambda: shapes(ATTEND, TOKENS),
        TypeError,
        "MultiHeadAttention: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   i32[2,3]",
        "  fix:      it looks like token ids; embed them, as TokenEmbedding does",
    ),
    mistake(
        "MultiHeadAttention shape as x",
        lambda: ATTEND.init(KEY, jax.ShapeDtypeStruct((2, 3, 8), jnp.float32)),
        TypeError,
        "MultiHeadAttention: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   ShapeDtypeStruct(shape=(2, 3, 8), dtype=float32)",
        "  fix:      give an array, as jnp.asarray(x)",
    ),
    mistake(
        "MultiHeadAttention nothing",
        lambda: shapes(ATTEND),
        TypeError,
        (
            "MultiHeadAttention: the argument `x` is missing; call it as (x, context=None, "
            "deterministic=True)."
        ),
    ),
    mistake(
        "MultiHeadAttention unknown argument",
        lambda: shapes(ATTEND, X, mask=Causal()),
        TypeError,
        (
            "MultiHeadAttention: no argument `mask`; who sees whom is a field of attention, as "
            "mask=Causal(); padding comes as context=Context(valid=...), True for real tokens."
        ),
    ),
    mistake(
        "MultiHeadAttention too many",
        lambda: shapes(ATTEND, X, None, True, 4),
        TypeError,
        (
            "MultiHeadAttention: too many positional arguments; call it as (x, "
            "context=None, deterministic=True)."
        ),
    ),
    mistake(
        "MultiHeadAttention swapped",
        lambda: shapes(ATTEND, Context(), X),
        TypeError,
        "MultiHeadAttention: argument `x` does not fit its signature",
        "  expected: Float[Array, 'batch seq embed']",
        "  actual:   Context()",
        "  fix:      Context goes into context=Context()",
    ),
    mistake(
        "MultiHeadAttention integer switch",
        lambda: shapes(ATTEND, X, None, 1),
        TypeError,
        "MultiHeadAttention: argument `deterministic` does not fit its signature",
        "  expected: bool",
        "  actual:   1",
        "  fix:      write True",
    ),
    mistake(
        "MultiHeadAttention traced switch",
        lambda: jax.eval_shape(lambda d: ATTEND.init(KEY, X, None, d), True),
        TypeError,
        "MultiHeadAttention: argument `deterministic` does not fit its signature",
        "  expected: bool",
        "  actual:   bool[]",
        (
            "  fix:      it is traced; close over a Python value, or name it in "
            "static_argnums of jax.jit"
        ),
    ),
    mistake(
        "MultiHeadAttention numpy switch",
        lambda: shapes(ATTEND, X, None, np.True_),
        TypeError,
        "MultiHeadAttention: argument `deterministic` does not fit its signature",
        "  expected: bool",
        "  actual:   bool[]",
        "  fix:      write bool(deterministic)",
    ),
    mistake(
        "MultiHeadAttention key as switch",
        lambda: shapes(ATTEND, X, None, KEY),
        TypeError,
        "MultiHeadAttention: argument `deterministic` does not fit its signature",
        "  expected: bool",
        "  actual:   key<fry>[]",
        '  fix:      the key of dropout goes to apply: rngs={"dropout": key}',
    ),
    mistake(
        "MultiHeadAttention no switch",
        lambda: shapes(ATTEND, X, None, None),
        TypeError,
        "MultiHeadAttention: argument `deterministic` does not fit its signature",
        "  expected: bool",
        "  actual:   None",
    ),
    mistake(
        "MultiHeadAttention heads",
        lambda: shapes(ODD, X),
        ValueError,
        (
            "MultiHeadAttention: num_heads=3 must divide embed=8; use 1, 2, 4 or 8, or give"
            " head_dim."
        ),
    ),
    mistake(
        "MultiHeadAttention cache sees ahead",
        lambda: shapes(ATTEND, X, Context(cache_size=3)),
        ValueError,
        (
            "MultiHeadAttention: mask=None can see ahead, which a cache of past tokens "
            "cannot serve; use Causal(), or leave cache_size out of the context."
        ),
    ),
    mistake(
        "MultiHeadAttention cache too small",
        lambda: shapes(CAUSAL, X, Context(cache_size=2)),
        ValueError,
        (
            "MultiHeadAttention: seq=3 tokens do not fit into a cache of 2 slots; make it "
            "larger with Context(cache_size=...)."
        ),
    ),
    mistake(
        "MultiHeadAttention cache not returned",
        lambda: on(CAUSAL, (X,), X, Context(cache_size=3)),
        ValueError,
        ("MultiHeadAttention: this call writes the collection `cache`, and does not return it"),
        '  fix:      apply(..., mutable=["cache"]), which gives result and variables',
    ),
    mistake(
        "MultiHeadAttention no parameters",
        lambda: ATTEND.apply({}, X),
        ValueError,
        "Linear at `query`: no parameter `kernel` among the variables of this call",
        PARAMETERS,
    ),
    mistake(
        "MultiHeadAttention no dropout key",
        lambda: on(MultiHeadAttention(num_heads=2, dropout_rate=0.5), (X,), X, None, False),
        ValueError,
        "MultiHeadAttention: no random key for `dropout`, which this call draws from",
        '  fix:      give one, rngs={"dropout": key}, or deterministic=True',
    ),
    told(
        "AttentionHead cache",
        lambda: shapes(AttentionHead(head_dim=2), X, Context(cache_size=2)),
        ValueError,
        "AttentionHead keeps no cache",
    ),
    told(
        "CrossAttention no memory",
        lambda: shapes(CrossAttention(num_heads=2), X),
        ValueError,
        "CrossAttention: cross-attention has nothing to read",
    ),
)
