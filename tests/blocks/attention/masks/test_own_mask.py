"""A mask of one's own: a value by inheritance, tried once when it is made."""

import dataclasses
import pickle
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_by_numpy import drawn_variables, jitted, normal

from blocks import Causal, ChunkedAttention, Context, MultiHeadAttention
from blocks.attention.masks import Mask, Segments


def distance(query: Any, key: Any) -> jax.Array:
    return query.positions[:, None, :, None] - key.positions[:, None, None, :]


class Every(Mask):
    step: int = 2

    def __call__(self, query: Any, key: Any) -> jax.Array:
        return distance(query, key) % self.step == 0


class Earlier(Mask):
    def __call__(self, query: Any, key: Any) -> jax.Array:
        return distance(query, key) >= 0


class EarlierByName(Earlier):
    @property
    def causal(self) -> bool:
        return True


def test_it_compares_hashes_and_prints_by_its_fields() -> None:
    assert Every(3) == Every(step=3) != Every()
    assert hash(Every(3)) == hash(Every(step=3))
    assert repr(Causal() & Every(3)) == "(Causal() & Every(step=3))"
    assert pickle.loads(pickle.dumps(Every(3))) == Every(3)


def test_without_a_field_it_is_equal_to_itself_and_to_no_other() -> None:
    assert Earlier() == Earlier()
    assert Earlier() != EarlierByName()


def test_a_list_becomes_a_tuple() -> None:
    class Steps(Mask):
        steps: tuple[int, ...]

        def __call__(self, query: Any, key: Any) -> jax.Array:
            return distance(query, key) % jnp.array(self.steps).min() == 0

    assert Steps([2, 3]) == Steps((2, 3))  # pyright: ignore[reportArgumentType]
    assert hash(Steps([2, 3])) == hash(Steps((2, 3)))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"step": 2.5}, r"^Every: field `step` cannot hold this\n  expected: int"),
        ({"stpe": 2}, r"^Every: no field `stpe`; did you mean `step`\?"),
    ],
    ids=["type", "name"],
)
def test_its_fields_are_checked(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Every(**fields)


def test_a_field_that_cannot_be_hashed_is_refused() -> None:
    class Table(Earlier):
        table: jax.Array

    with pytest.raises(TypeError, match=r"Table: field `table` holds .* cannot be hashed.*tuple"):
        Table(jnp.ones(3))


def test_checks_of_its_own_have_a_place() -> None:
    class Positive(Every):
        def check_fields(self) -> None:
            if self.step < 1:
                raise ValueError(f"step={self.step} must be at least 1.")

    with pytest.raises(ValueError, match=r"^step=0 must be at least 1"):
        Positive(0)
    with pytest.raises(TypeError, match=r"Late defines `__post_init__`; define `check_fields"):

        class Late(Every):
            def __post_init__(self) -> None: ...


def results() -> dict[str, Any]:
    """What `__call__` could give by mistake."""
    return {
        "no axis of heads": lambda q, k: distance(q, k)[:, 0] >= 0,
        "transposed": lambda q, k: jnp.swapaxes(distance(q, k) >= 0, 2, 3),
        "numbers": distance,
        "nothing": lambda q, k: None,
        "several heads": lambda q, k: jnp.repeat(distance(q, k) >= 0, 2, axis=1),
    }


@pytest.mark.parametrize("mistake", results())
def test_what_is_no_mask_is_refused_when_it_is_made(mistake: str) -> None:
    class Wrong(Mask):
        def __call__(self, query: Any, key: Any) -> Any:
            return results()[mistake](query, key)

    with pytest.raises(TypeError, match=r"Wrong: `__call__` gives no mask for 5 queries and 7 key"):
        Wrong()


def test_a_false_claim_to_be_causal_is_refused() -> None:
    class Claims(Every):
        @property
        def causal(self) -> bool:
            return True

    match = r"Claims: `causal` is True, but query 0 sees key 3, which comes after it"
    with pytest.raises(ValueError, match=match):
        Claims(3)


@pytest.mark.parametrize(("claimed", "refused"), [(6, False), (5, True), (0, True)])
def test_a_false_lookback_is_refused(claimed: int, refused: bool) -> None:
    class Near(Mask):
        @property
        def lookback(self) -> int:
            return claimed

        def __call__(self, query: Any, key: Any) -> jax.Array:
            return abs(distance(query, key)) <= 6

    if not refused:
        assert Near().lookback == claimed
        return
    with pytest.raises(ValueError, match=rf"Near: `lookback` is {claimed}, but the query at posi"):
        Near()


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [("causal", 1, r"`causal` must be True or False"), ("lookback", 2.5, r"`lookback` must be a")],
)
def test_claims_of_the_wrong_type_are_refused(name: str, value: Any, match: str) -> None:
    kind = type("Odd", (Earlier,), {name: property(lambda self: value), "__module__": __name__})
    with pytest.raises(TypeError, match=match):
        kind()


def test_combinations_claim_what_follows_from_their_parts() -> None:
    assert (EarlierByName() & Every()).causal
    assert not (EarlierByName() | Every()).causal
    assert not (~EarlierByName()).causal


def test_a_mask_may_ask_for_documents() -> None:
    class Own(Mask):
        def __call__(self, query: Any, key: Any) -> jax.Array:
            return Segments()(query, key)

    assert Own() == Own()


def test_it_may_be_made_under_jit() -> None:
    class Fresh(Every):
        pass

    seq = jnp.arange(4)[None]
    got = jax.jit(lambda x: x + Fresh(3).step)(seq)
    np.testing.assert_array_equal(got, seq + 3)


class ByPlaceInTheArray(Mask):
    def __call__(self, query: Any, key: Any) -> jax.Array:
        q, k = (jnp.arange(at.order.shape[1]) for at in (query, key))
        return q[None, None, :, None] >= k[None, None, None, :]


def test_one_that_goes_by_the_shape_of_its_chunk_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ByPlaceInTheArray: .*a few of the tokens than for all"):
        ByPlaceInTheArray()


@pytest.mark.parametrize("name", ["valid", "segment_ids"])
def test_one_that_needs_what_a_call_may_lack_is_told(name: str) -> None:
    class Real(Mask):
        def __call__(self, query: Any, key: Any) -> jax.Array:
            return Earlier()(query, key) & (getattr(key, name)[:, None, None, :] == 1)

    with pytest.raises(TypeError, match=r"Real: .*without padding and documents.*\n  fix: "):
        Real()


def test_a_field_of_lists_is_checked_as_written_and_kept_as_tuples() -> None:
    class Steps(Mask):
        steps: list[list[int]]

        def __call__(self, query: Any, key: Any) -> jax.Array:
            return distance(query, key) % self.steps[0][0] == 0

    mask = Steps([[2], [3]])
    assert mask.steps == ((2,), (3,))
    assert dataclasses.replace(mask) == mask
    with pytest.raises(TypeError, match="cannot hold this"):
        Steps([["a"]])  # pyright: ignore


@pytest.mark.parametrize("kernel", [None, ChunkedAttention(query_chunk=2, key_chunk=2)], ids=str)
def test_it_works_in_attention_with_a_cache(kernel: Any) -> None:
    fields = {} if kernel is None else {"implementation": kernel}
    block = MultiHeadAttention(num_heads=2, mask=Causal() & Every(3), **fields)
    x = normal(0, (2, 9, 8))
    variables = drawn_variables(block, x, seed=1)
    whole = jnp.asarray(jitted(block, variables, x))
    first, cache = jitted(block, variables, x[:, :5], Context(cache_size=9), mutable="cache")
    rest, _ = jitted(
        block, {**variables, **cache}, x[:, 5:], Context(cache_size=9), mutable="cache"
    )
    np.testing.assert_allclose(jnp.concatenate([first, rest], 1), whole, atol=1e-5)
    # Another token at a distance that is no multiple of 3 changes nothing.
    changed = jnp.asarray(jitted(block, variables, x.at[:, 1].add(1.0)))
    np.testing.assert_allclose(changed[:, 5], whole[:, 5], atol=1e-6)


def test_masks_of_the_library_start_no_backend() -> None:
    program = """
from jax._src import xla_bridge
from blocks import Causal, ChunkedLocal, Prefix, RingCache, SlidingWindow
from blocks.attention.masks import Dilated, Padding
mask = Causal() & (SlidingWindow(4) | ~ChunkedLocal(3) | Dilated(2) | Prefix(3)) & Padding()
RingCache()
assert not xla_bridge._backends, "a backend runs"
"""
    subprocess.run([sys.executable, "-c", program], check=True)
