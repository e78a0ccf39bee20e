"""Linear attention: chunks against the quadratic formula, ragged decoding, memory, refusals."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, normal

from blocks import (
    MLP,
    Bidirectional,
    Block,
    Causal,
    CausalLM,
    Context,
    GatedDeltaNet,
    LinearAttention,
    LMHead,
    RoPE,
    SlidingWindow,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.attention.caches import select_rows
from blocks.attention.masks import Padding
from blocks.context import locate
from blocks.recurrent import Hedgehog, ShortConvolution
from blocks.recurrent.chunking import document_runs
from blocks.recurrent.products import averaged, causal_sums, counted, full_sums

VALID = np.array([[1, 1, 0, 1, 1, 1, 0, 1, 1], [0, 0, 1, 1, 1, 0, 1, 1, 1]], bool)
# Padding comes with numbers of its own, in the middle of documents too.
SEGMENTS = np.array([[3, 3, 9, 3, 5, 5, 9, 5, 8], [7, 7, 1, 1, 1, 0, 1, 2, 2]])
POSITIONS = np.array([[0, 1, 0, 2, 0, 1, 0, 2, 0], [0, 0, 0, 1, 2, 0, 3, 0, 1]])


@pytest.mark.parametrize("chunk_size", [1, 4, 64])
@pytest.mark.parametrize("causal", [True, False])
def test_chunks_give_what_the_quadratic_formula_gives(causal: bool, chunk_size: int) -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    query = jax.random.uniform(keys[0], (2, 9, 4, 3))
    key = jax.random.uniform(keys[1], (2, 9, 2, 3))
    value = jax.random.normal(keys[2], (2, 9, 2, 5))

    @jax.jit
    def ours(query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        at = locate(Context(valid=jnp.asarray(VALID), segment_ids=jnp.asarray(SEGMENTS)), 2, 9)
        values = counted(value, at.valid)
        runs, _ = document_runs(at, 2, jnp.zeros((2, 1), jnp.int32))
        if not causal:
            return averaged(full_sums(query, key, values, runs, chunk_size))
        return averaged(causal_sums(query, key, values, runs, None, chunk_size)[0])

    got = ours(query, key, value)
    for b, t, h in np.ndindex(2, 9, 4):
        if not VALID[b, t]:
            continue
        q, k, v = (np.asarray(x[b], np.float64) for x in (query, key, value))
        seen = [
            s
            for s in range(t + 1 if causal else 9)
            if VALID[b, s] and SEGMENTS[b, s] == SEGMENTS[b, t]
        ]
        weights = np.array([q[t, h] @ k[s, h // 2] for s in seen])
        want = sum(w * v[s, h // 2] for w, s in zip(weights / weights.sum(), seen, strict=True))
        np.testing.assert_allclose(got[b, t, h], want, rtol=1e-5, atol=1e-5)


CACHED = [
    LinearAttention(num_heads=2, position=RoPE(), mask=Causal(), chunk_size=2),
    ShortConvolution(width=4),
    GatedDeltaNet(num_heads=2, chunk_size=2),
]


@pytest.mark.parametrize("block", CACHED, ids=lambda block: type(block).__name__)
def test_rows_of_different_lengths_decode_as_each_would_alone(block: Block) -> None:
    x = normal(0, (2, 9, 8))
    params = drawn_variables(block, x, seed=1)["params"]

    @jax.jit
    def call(cache: dict, x: jax.Array, context: Context) -> tuple[jax.Array, dict]:
        return block.apply({"params": params, **cache}, x, context, mutable=["cache"])

    cache, parts = {}, []
    for start, stop in ((0, 3), (3, 6), (6, 9)):
        now = slice(start, stop)
        context = Context(
            valid=jnp.asarray(VALID[:, now]),
            segment_ids=jnp.asarray(SEGMENTS[:, now]),
            positions=jnp.asarray(POSITIONS[:, now]),
            cache_size=1,
        )
        part, cache = call(cache, x[:, now], context)
        parts.append(part)
    got = np.concatenate(parts, axis=1)

    alone = jax.jit(lambda x: block.apply({"params": params}, x))
    for row in range(2):
        for document in np.unique(SEGMENTS[row][VALID[row]]):
            own = np.flatnonzero(VALID[row] & (SEGMENTS[row] == document))
            want = alone(x[row, own][None])[0]
            np.testing.assert_allclose(got[row, own], want, rtol=1e-4, atol=1e-5)


def test_memory_grows_with_length_and_not_with_its_square() -> None:
    block = LinearAttention(num_heads=2, mask=Causal(), chunk_size=32)
    params = drawn_variables(block, jnp.ones((1, 1, 16)))

    def loss(params: dict, x: jax.Array) -> jax.Array:
        return block.apply(params, x).sum()

    def memory(seq: int) -> int:
        compiled = jax.jit(jax.grad(loss)).lower(params, jnp.ones((1, seq, 16))).compile()
        analysis = compiled.memory_analysis()
        assert analysis is not None
        return analysis.temp_size_in_bytes

    assert memory(4096) < 4.5 * memory(1024)


def test_weights_sum_to_one_though_queries_and_keys_turn() -> None:
    block = LinearAttention(num_heads=2, feature_map=Hedgehog(), position=RoPE(), mask=Causal())
    x = 5.0 * jax.random.normal(jax.random.key(0), (1, 40, 8))
    params = jax.jit(block.init)(jax.random.key(1), x)["params"]
    # Every value is one, and so is every average of them.
    params["value"] = {"kernel": jnp.zeros((8, 2, 4)), "bias": jnp.ones((2, 4))}
    want = jnp.ones((1, 8)) @ params["out"]["kernel"].reshape(8, 8)
    y = jax.jit(block.apply)({"params": params}, x)
    np.testing.assert_allclose(y, np.broadcast_to(want, y.shape), rtol=1e-4, atol=1e-4)


def model(attention: Block, scan: bool = False) -> CausalLM:
    return CausalLM(
        embed=TokenEmbedding(vocab_size=11, features=8),
        stack=Stack(
            block=TransformerBlock(attention=attention, mlp=MLP(hidden=8)), depth=2, scan=scan
        ),
        norm=None,
        head=LMHead(tied=True),
    )


def test_a_language_model_takes_what_is_causal_and_nothing_else() -> None:
    for mask in (None, Bidirectional()):
        with pytest.raises(ValueError, match=r"stack\.block\.attention can see ahead"):
            model(LinearAttention(num_heads=2, mask=mask))
    for block in (LinearAttention(num_heads=2, mask=Causal()), GatedDeltaNet(num_heads=2)):
        assert not block.sees_ahead
        model(block)


@pytest.mark.parametrize("block", CACHED[::2], ids=lambda block: type(block).__name__)
def test_rows_of_states_are_chosen_in_a_scanned_stack(block: Block) -> None:
    lm = model(block, scan=True)
    tokens = jnp.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    rows = jnp.array([2, 0])
    params = drawn_variables(lm, tokens)["params"]

    @jax.jit
    def read(tokens: jax.Array) -> dict:
        context = Context(cache_size=3)
        return lm.apply({"params": params}, tokens, context, mutable=["cache"])[1]["cache"]

    chosen, want = select_rows(read(tokens), rows), read(tokens[rows])
    for ours, theirs in zip(jax.tree.leaves(chosen), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def start(block: Block, **context: int) -> Callable[[], object]:
    shared = Context(**context)
    return lambda: block.init(jax.random.key(0), jnp.ones((1, 2, 8)), shared)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: LinearAttention(num_heads=2, mask=Causal() & SlidingWindow(3)),
            r"mask=\(Causal\(\) & SlidingWindow\(window=3\)\) has no linear form.*use Causal\(\) "
            r"or Bidirectional\(\), or MultiHeadAttention",
        ),
        (lambda: LinearAttention(num_heads=2, mask=Padding()), "has no linear form"),
        (
            lambda: LinearAttention(num_heads=4, num_kv_heads=3),
            "num_kv_heads=3 must divide num_heads=4; use 1, 2 or 4",
        ),
        (lambda: LinearAttention(num_heads=2, chunk_size=0), "chunk_size=0 must be at least 1"),
        (
            start(LinearAttention(num_heads=3)),
            "num_heads=3 must divide embed=8; use 1, 2, 4 or 8, or give head_dim",
        ),
        (
            start(LinearAttention(num_heads=2), cache_size=4),
            "mask=None can see ahead, which a cache of past tokens cannot serve",
        ),
        (lambda: ShortConvolution(width=0), "width=0 must be at least 1, the token itself"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("block", [*CACHED, LinearAttention(num_heads=2)], ids=repr)
def test_no_tokens_give_no_results(block: Block) -> None:
    variables = jax.eval_shape(block.init, jax.random.key(0), jnp.ones((2, 3, 8)))
    context = Context(segment_ids=jnp.zeros((2, 0), jnp.int32), valid=jnp.zeros((2, 0), bool))
    y = jax.eval_shape(lambda v: block.apply(v, jnp.ones((2, 0, 8)), context), variables)
    assert y.shape == (2, 0, 8)


def test_a_document_that_comes_back_is_refused() -> None:
    """Attention would find its beginning again; a state has forgotten it."""

    def runs(segment_ids: list, valid: list | None = None) -> None:
        mark = None if valid is None else jnp.array([valid, valid], bool)
        context = Context(segment_ids=jnp.array([[4] * 4, segment_ids]), valid=mark)
        document_runs(locate(context, 2, 4), 2, jnp.zeros((2, 1), jnp.int32))

    with pytest.raises(ValueError, match=r"in row 1 one comes back; let the tokens of each doc"):
        runs([2, 2, 1, 2])
    runs([2, 2, 1, 0])
    runs([3, 2, 2, 0], [0, 1, 1, 1])
    runs([2, 1, 2, 0], [1, 0, 1, 1])
