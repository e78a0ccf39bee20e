"""A cache of one's own: a value with sizes, which works wherever one of the library does."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted

from blocks import (
    MLP,
    Causal,
    CausalLM,
    ChunkedAttention,
    Context,
    KeyValueCache,
    LMHead,
    MultiHeadAttention,
    Prefix,
    RoPE,
    SlidingWindow,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.attention.caches import Cache, select_rows
from blocks.attention.masks import Mask
from blocks.context import Coordinates


class FirstAndLast(Cache):
    first: int = 4
    last: int = 128

    def slots(self, size: int, lookback: int | None) -> int:
        return self.first + self.last

    def extend(self, state: Any, key: Any, value: Any, at: Any) -> Any:
        every = state.join(key, value, at)
        valid = every.at.valid
        number = jnp.cumsum(valid, axis=1)
        kept = valid & ((number <= self.first) | (number > number[:, -1:] - self.last))
        return every.keep(kept, self.first + self.last), every.keys, every.values, every.at


CACHE = FirstAndLast(first=1, last=3)
MASK = Causal() & (Prefix(1) | SlidingWindow(3))
TOKENS = jax.random.randint(jax.random.key(3), (2, 11), 0, 11)


def attention(**fields: Any) -> MultiHeadAttention:
    return MultiHeadAttention(
        **{"num_heads": 2, "mask": MASK, "position": RoPE(), "cache": CACHE, **fields}
    )


def model(scan: bool = False, **fields: Any) -> CausalLM:
    return CausalLM(
        embed=TokenEmbedding(vocab_size=11, features=8),
        stack=Stack(
            block=TransformerBlock(attention=attention(**fields), mlp=MLP(hidden=8)),
            depth=2,
            scan=scan,
        ),
        norm=None,
        head=LMHead(tied=True),
    )


def decoded(lm: CausalLM, variables: Any, sizes: tuple[int, ...], **fields: Any) -> Any:
    """The logits of tokens that come in calls of these sizes."""
    cache, outputs, start = {}, [], 0
    for size in sizes:
        place = slice(start, start + size)
        split = {name: array[:, place] for name, array in fields.items()}
        context = Context(cache_size=11, **split)
        out, cache = jitted(lm, {**variables, **cache}, TOKENS[:, place], context, mutable="cache")
        outputs.append(out)
        start += size
    return jnp.concatenate(outputs, axis=1)


def test_it_is_a_value_with_sizes() -> None:
    assert FirstAndLast(first=1, last=3) == CACHE != FirstAndLast()
    assert hash(FirstAndLast(1, 3)) == hash(CACHE)
    assert repr(CACHE) == "FirstAndLast(first=1, last=3)"
    assert attention() == attention(cache=FirstAndLast(1, 3))


@pytest.mark.parametrize("scan", [False, True], ids=["loop", "scan"])
@pytest.mark.parametrize("sizes", [(11,), (7, 1, 1, 1, 1), (1,) * 11, (2, 5, 1, 3)], ids=str)
def test_any_split_gives_the_uncached_pass(scan: bool, sizes: tuple[int, ...]) -> None:
    lm = model(scan)
    variables = drawn_variables(lm, TOKENS, seed=4)
    whole = jitted(lm, variables, TOKENS)
    np.testing.assert_allclose(decoded(lm, variables, sizes), whole, rtol=1e-4, atol=1e-4)


def test_a_chunked_kernel_attends_to_it_likewise() -> None:
    lm = model(implementation=ChunkedAttention(query_chunk=2, key_chunk=2))
    variables = drawn_variables(lm, TOKENS, seed=4)
    whole = jitted(model(), variables, TOKENS)
    np.testing.assert_allclose(decoded(lm, variables, (6, 1, 4)), whole, rtol=1e-4, atol=1e-4)


def test_padding_takes_no_room() -> None:
    lm = model()
    variables = drawn_variables(lm, TOKENS, seed=4)
    valid = jnp.ones((2, 11), bool).at[0, 1].set(False).at[1, 3:6].set(False)
    whole = jitted(lm, variables, TOKENS, Context(valid=valid))
    got = decoded(lm, variables, (7, 1, 3), valid=valid)
    np.testing.assert_allclose(got[valid], whole[valid], rtol=1e-4, atol=1e-4)


def test_rows_are_chosen() -> None:
    lm = model()
    variables = drawn_variables(lm, TOKENS, seed=4)
    context = Context(cache_size=11)
    _, cache = jitted(lm, variables, TOKENS[:, :9], context, mutable="cache")
    turned = select_rows(cache["cache"], jnp.array([1, 0]))
    got, _ = jitted(lm, {**variables, "cache": turned}, TOKENS[::-1, 9:], context, mutable="cache")
    whole = jitted(lm, variables, TOKENS)
    np.testing.assert_allclose(got, whole[::-1, 9:], rtol=1e-4, atol=1e-4)


def test_one_call_after_another_compiles_once_and_reuses_the_memory() -> None:
    lm = model()
    variables, context = drawn_variables(lm, TOKENS), Context(cache_size=11)
    _, cache = jitted(lm, variables, TOKENS[:, :3], context, mutable="cache")

    def step(cache: Any, tokens: jax.Array) -> Any:
        return lm.apply({**variables, "cache": cache}, tokens, context, mutable="cache")

    shapes = jax.eval_shape(step, cache["cache"], TOKENS[:, :1])[1]["cache"]
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, cache["cache"])


@pytest.mark.parametrize(
    ("cache", "mask", "words"),
    [
        (CACHE, Causal(), "the query at position 5 sees key 1, which is lost after 6 tokens"),
        (FirstAndLast(1, 2), Causal() & SlidingWindow(4), "which is lost"),
        (FirstAndLast(0, 3), MASK, "sees key 0, which is lost"),
    ],
    ids=["all", "a longer window", "the first"],
)
def test_a_mask_that_sees_what_is_not_kept_is_refused(cache: Cache, mask: Mask, words: str) -> None:
    block, x = attention(cache=cache, mask=mask), jnp.ones((1, 3, 8))
    variables = drawn_variables(block, x)
    with pytest.raises(ValueError, match=rf"does not go with mask=.* and cache_size=9: .*{words}"):
        block.apply(variables, x, Context(cache_size=9), mutable="cache")


class Overwrites(Cache):
    """Drops its oldest token when it is full."""

    def extend(self, state: Any, key: Any, value: Any, at: Any) -> Any:
        every = state.join(key, value, at)
        newest = every.at.order >= every.length - state.slots
        return every.keep(every.at.valid & newest, state.slots), every.keys, every.values, every.at


class Shifted(FirstAndLast):
    """Gives keys of other tokens than it says."""

    def extend(self, state: Any, key: Any, value: Any, at: Any) -> Any:
        state, keys, values, key_at = super().extend(state, key, value, at)
        return state, jnp.roll(keys, 1, axis=1), values, key_at


class Twice(FirstAndLast):
    """Gives new tokens a second time."""

    def extend(self, state: Any, key: Any, value: Any, at: Any) -> Any:
        state, *_ = super().extend(state, key, value, at)
        every = state.join(key, value, at)
        return state, every.keys, every.values, every.at


class Uncounted(FirstAndLast):
    """Forgets to count."""

    def extend(self, state: Any, key: Any, value: Any, at: Any) -> Any:
        after, *rest = super().extend(state, key, value, at)
        return after.replace(num_tokens=state.num_tokens), *rest


class Slots(FirstAndLast):
    """Forgets padding: it keeps the last slots, not the last real tokens."""

    def extend(self, state: Any, key: Any, value: Any, at: Any) -> Any:
        every = state.join(key, value, at)
        order = every.at.order
        kept = (order < self.first) | (order >= every.length - self.last)
        return every.keep(kept & every.at.valid, 4), every.keys, every.values, every.at


@pytest.mark.parametrize(
    ("cache", "mask", "error", "words"),
    [
        (Overwrites(), Causal(), ValueError, "which is lost"),
        (Shifted(1, 3), MASK, ValueError, "keys are not where their coordinates say"),
        (Twice(1, 3), MASK, ValueError, "which is there twice"),
        (Uncounted(1, 3), MASK, TypeError, r"does not count the new tokens: return state.counted"),
        (Slots(1, 2), MASK, ValueError, "which is lost after .* tokens, with padding"),
    ],
    ids=["overwrites", "shifted", "twice", "uncounted", "padding"],
)
def test_mistakes_of_a_cache_are_found_at_the_first_call(
    cache: Cache, mask: Mask, error: type[Exception], words: str
) -> None:
    block, x = attention(cache=cache, mask=mask), jnp.ones((1, 1, 8))
    variables = drawn_variables(block, x)
    with pytest.raises(error, match=words):
        block.apply(variables, x, Context(cache_size=9), mutable="cache")


def test_a_choice_that_loses_keys_on_purpose_says_so() -> None:
    class Lossy(FirstAndLast):
        @property
        def exact(self) -> bool:
            return False

    block, x = attention(cache=Lossy(1, 3), mask=Causal()), jnp.ones((1, 3, 8))
    variables = drawn_variables(block, x)
    out, _ = jitted(block, variables, x, Context(cache_size=9), mutable="cache")
    assert jnp.isfinite(out).all()


def test_a_state_that_changes_its_shape_is_refused() -> None:
    class Grows(Cache):
        @property
        def exact(self) -> bool:
            return False

        def extend(self, state: Any, key: Any, value: Any, at: Any) -> Any:
            every = state.join(key, value, at)
            return every, every.keys, every.values, every.at

    block, x = attention(cache=Grows()), jnp.ones((1, 3, 8))
    variables = drawn_variables(block, x)
    match = r"Grows\(\) changes the shape of its state.*\n.*\[1, 9, 2, 4\]\n.*\[1, 12, 2, 4\]"
    with pytest.raises(TypeError, match=match):
        block.apply(variables, x, Context(cache_size=9), mutable="cache")


def test_keys_may_be_kept_in_another_form() -> None:
    class HalfCache(KeyValueCache):
        def pack(self, x: jax.Array) -> jax.Array:
            return x.astype(jnp.float16)

        def unpack(self, kept: jax.Array, dtype: Any) -> jax.Array:
            return kept.astype(dtype)

    lm = model(cache=HalfCache(), mask=Causal())
    variables = drawn_variables(lm, TOKENS, seed=4)
    whole = jitted(lm, variables, TOKENS)
    got = decoded(lm, variables, (7, 1, 3))
    np.testing.assert_allclose(got, whole, rtol=2e-2, atol=2e-2)
    assert float(abs(got - whole).max()) > 0.0


def test_a_kernel_is_told_of_documents_on_both_sides_or_on_neither() -> None:
    told = []

    def kernel(
        query: Any, key: Any, value: Any, query_at: Coordinates, key_at: Coordinates, **options: Any
    ) -> Any:
        told.append((query_at.segment_ids is not None, key_at.segment_ids is not None))
        return query

    block, x = attention(implementation=kernel), jnp.ones((2, 3, 8))
    variables = block.init(jax.random.key(0), x)
    told.clear()
    for cache in (CACHE, KeyValueCache()):
        for documents in (None, jnp.ones((2, 3), jnp.int32)):
            context = Context(cache_size=9, segment_ids=documents)
            block.clone(cache=cache).apply(variables, x, context, mutable="cache")
    assert told == [(False, False), (True, True)] * 2


def test_another_batch_than_before_is_refused() -> None:
    block, x = attention(cache=KeyValueCache()), jnp.ones((3, 1, 8))
    variables = drawn_variables(block, x)
    _, cache = jitted(block, variables, x, Context(cache_size=9), mutable="cache")
    match = r"batch=2 differs from the cache's 3; keep the rows the same.*select_rows"
    with pytest.raises(ValueError, match=match):
        block.apply({**variables, **cache}, x[:2], Context(cache_size=9), mutable="cache")


def test_a_cache_inside_the_library_is_tested_too() -> None:
    class Inside(FirstAndLast):
        __module__ = "blocks.attention.caches.inside"

    with pytest.raises(ValueError, match="which is lost"):
        attention(mask=Causal(), cache=Inside(1, 3)).init(
            jax.random.key(0), jnp.ones((1, 9, 8)), Context(cache_size=9)
        )


class Broken(KeyValueCache):
    """Keeps all, and returns it changed."""

    change: Any = None

    def extend(self, state: Any, key: Any, value: Any, at: Any) -> Any:
        return self.change(*super().extend(state, key, value, at))


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (
            lambda state, k, v, at: (state, k, v, at.replace(valid=None)),
            ValueError,
            "does not go with mask=.*there twice after 5 tokens, with padding",
        ),
        (lambda state, k, v, at: (state, k, v), TypeError, "return the new state, keys, values"),
        (lambda *all: None, TypeError, "extend returned None; return the new state"),
        (
            lambda state, k, v, at: (state, k[:, 1:], v, at),
            TypeError,
            "returned 8 keys, 9 values and coordinates of 9; return as many",
        ),
    ],
    ids=["padding shown", "no coordinates", "nothing", "a key too few"],
)
def test_what_extend_returns_is_checked(change: Any, kind: Any, words: str) -> None:
    block = attention(mask=Causal(), cache=Broken(change))
    with pytest.raises(kind, match=words):
        block.init(jax.random.key(0), jnp.ones((1, 9, 8)), Context(cache_size=9))
