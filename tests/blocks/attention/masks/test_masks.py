"""Masks: truth tables, the algebra of `&`, `|` and `~`, and what counts as causal."""

import pickle

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks import Bidirectional, Causal, ChunkedLocal, Prefix, SlidingWindow
from blocks.attention.masks import Dilated, Mask, Padding, Segments, visible
from blocks.context import Coordinates

SEQ = 5


def at(
    positions: list[int] | None = None,
    valid: list[bool] | None = None,
    segment_ids: list[int] | None = None,
    start: int = 0,
    seq: int = SEQ,
) -> Coordinates:
    order = start + jnp.arange(seq)[None]
    return Coordinates(
        order=order,
        positions=order if positions is None else jnp.array([positions]),
        valid=None if valid is None else jnp.array([valid]),
        segment_ids=None if segment_ids is None else jnp.array([segment_ids]),
    )


def table(mask: Mask, query: Coordinates, key: Coordinates) -> np.ndarray:
    """A mask's rule as a table of queries (rows) by keys (columns)."""
    visible = np.asarray(mask(query, key))
    assert visible.dtype == bool
    q_seq, kv_seq = query.order.shape[1], key.order.shape[1]
    return np.broadcast_to(visible, (1, 1, q_seq, kv_seq))[0, 0]


def rows(*lines: str) -> np.ndarray:
    """A truth table as one writes it: `x` is seen."""
    return np.array([[mark == "x" for mark in line] for line in lines])


def test_causal() -> None:
    want = rows("x....", "xx...", "xxx..", "xxxx.", "xxxxx")
    np.testing.assert_array_equal(table(Causal(), at(), at()), want)


def test_causal_goes_by_order_not_by_position() -> None:
    backwards = at(positions=[4, 3, 2, 1, 0])
    np.testing.assert_array_equal(
        table(Causal(), backwards, backwards), table(Causal(), at(), at())
    )


def test_causal_of_a_late_chunk_sees_the_cache() -> None:
    want = rows("xxxx.", "xxxxx")
    np.testing.assert_array_equal(table(Causal(), at(start=3, seq=2), at()), want)


@pytest.mark.parametrize(
    ("window", "want"),
    [
        (1, rows("x....", ".x...", "..x..", "...x.", "....x")),
        (2, rows("xx...", "xxx..", ".xxx.", "..xxx", "...xx")),
        (9, rows("xxxxx", "xxxxx", "xxxxx", "xxxxx", "xxxxx")),
    ],
)
def test_sliding_window(window: int, want: np.ndarray) -> None:
    np.testing.assert_array_equal(table(SlidingWindow(window), at(), at()), want)


def test_sliding_window_goes_by_position() -> None:
    spread = at(positions=[0, 5, 6, 20, 21])
    want = rows("x....", ".xx..", ".xx..", "...xx", "...xx")
    np.testing.assert_array_equal(table(SlidingWindow(2), spread, spread), want)


def test_padding_hides_keys_from_every_query() -> None:
    marked = at(valid=[False, True, True, True, False])
    np.testing.assert_array_equal(table(Padding(), marked, marked), rows(*[".xxx."] * SEQ))


def test_segments_see_their_own_document() -> None:
    packed = at(segment_ids=[1, 1, 2, 2, 1])
    want = rows("xx..x", "xx..x", "..xx.", "..xx.", "xx..x")
    np.testing.assert_array_equal(table(Segments(), packed, packed), want)


def test_a_causal_window_over_documents() -> None:
    packed = at(segment_ids=[1, 1, 1, 2, 2])
    want = rows("x....", "xx...", ".xx..", "...x.", "...xx")
    mask = Causal() & SlidingWindow(2) & Segments()
    np.testing.assert_array_equal(table(mask, packed, packed), want)


def test_a_prefix_that_sees_all_of_itself() -> None:
    first_three = at(segment_ids=[1, 1, 1, 2, 3])
    want = rows("xxx..", "xxx..", "xxx..", "xxxx.", "xxxxx")
    np.testing.assert_array_equal(table(Causal() | Segments(), first_three, first_three), want)


def test_what_is_not_causal_is_the_future() -> None:
    want = rows(".xxxx", "..xxx", "...xx", "....x", ".....")
    np.testing.assert_array_equal(table(~Causal(), at(), at()), want)


def test_masks_combine_over_a_batch() -> None:
    valid = jnp.array([[True, False, True], [True, True, False]])
    order = jnp.arange(3)[None]
    both = Coordinates(order, order, valid)
    result = np.asarray((Causal() & Padding())(both, both))
    assert result.shape == (2, 1, 3, 3)
    np.testing.assert_array_equal(result[0, 0], rows("x..", "x..", "x.x"))
    np.testing.assert_array_equal(result[1, 0], rows("x..", "xx.", "xx."))


leaves = st.one_of(
    st.just(Causal()), st.builds(SlidingWindow, st.integers(1, 6)), st.just(Padding())
)
masks = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=4,
)
marks = st.lists(st.booleans(), min_size=SEQ, max_size=SEQ)
fast = settings(max_examples=30, deadline=None)


@fast
@given(masks, masks, marks)
def test_combinations_are_those_of_sets(left: Mask, right: Mask, valid: list[bool]) -> None:
    where = at(valid=valid)
    a, b = table(left, where, where), table(right, where, where)
    np.testing.assert_array_equal(table(left & right, where, where), a & b)
    np.testing.assert_array_equal(table(left | right, where, where), a | b)
    np.testing.assert_array_equal(table(~left, where, where), ~a)


@fast
@given(masks, marks)
def test_a_causal_mask_shows_no_future(mask: Mask, valid: list[bool]) -> None:
    where = at(valid=valid)
    if mask.causal:
        assert not np.triu(table(mask, where, where), 1).any()


@fast
@given(masks)
def test_a_mask_prints_as_the_expression_that_makes_it(mask: Mask) -> None:
    names = {"Causal": Causal, "SlidingWindow": SlidingWindow, "Padding": Padding}
    assert eval(repr(mask), names) == mask
    assert hash(pickle.loads(pickle.dumps(mask))) == hash(mask)


@pytest.mark.parametrize(
    ("mask", "causal"),
    [
        (Causal(), True),
        (SlidingWindow(3), False),
        (Padding(), False),
        (Segments(), False),
        (Causal() & SlidingWindow(3), True),
        (Padding() & Causal(), True),
        (Padding() & Segments(), False),
        (Causal() | Causal(), True),
        (Causal() | Segments(), False),
        (SlidingWindow(3) | Causal(), False),
        ((Causal() | SlidingWindow(3)) & Causal(), True),
        (~Causal(), False),
        (~~Causal(), False),
    ],
    ids=repr,
)
def test_causal_property(mask: Mask, causal: bool) -> None:
    assert mask.causal is causal


def test_no_rule_is_no_array() -> None:
    assert visible(None, at(), at()) is None


def test_padding_and_documents_come_with_the_call() -> None:
    where = at(valid=[False, True, True, True, True], segment_ids=[1, 1, 1, 2, 2])
    with_mask = np.asarray(visible(Causal(), where, where))
    want = rows(".....", ".x...", ".xx..", "...x.", "...xx")
    np.testing.assert_array_equal(with_mask[0, 0], want)
    without_mask = np.asarray(visible(None, where, where))
    np.testing.assert_array_equal(without_mask[0, 0], rows(*[".xx.."] * 3, *["...xx"] * 2))


def test_padding_without_data_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"Padding\(\) needs .*; call with Context\(valid=...\)"):
        Padding()(at(), at())


@pytest.mark.parametrize("side", ["query", "key"])
def test_segments_without_data_say_what_to_do(side: str) -> None:
    with_documents, without = at(segment_ids=[1] * SEQ), at()
    pair = (without, with_documents) if side == "query" else (with_documents, without)
    with pytest.raises(ValueError, match=r"Segments\(\) needs .*Context\(segment_ids=...\)"):
        Segments()(*pair)


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_without_room_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match=f"window={window} must be at least 1, the token itself"):
        SlidingWindow(window)


def test_a_mask_without_a_rule_says_so() -> None:
    class Nothing(Mask):
        pass

    with pytest.raises(TypeError, match=r"Nothing defines no rule: give it a `__call__`\."):
        Nothing()


def test_what_are_no_coordinates_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Causal.__call__: argument `query`.*\n.*Coordinates"):
        Causal()(jnp.arange(3), at())  # pyright: ignore


def test_chunked_local_stays_in_its_chunk() -> None:
    want = rows("xx...", "xx...", "..xx.", "..xx.", "....x")
    np.testing.assert_array_equal(table(ChunkedLocal(2), at(), at()), want)
    late = rows("..xx.", "....x")
    np.testing.assert_array_equal(table(ChunkedLocal(2), at(start=3, seq=2), at()), late)


def test_dilated_sees_every_second() -> None:
    want = rows("x.x.x", ".x.x.", "x.x.x", ".x.x.", "x.x.x")
    np.testing.assert_array_equal(table(Dilated(2), at(), at()), want)


def test_a_prefix_is_seen_by_all() -> None:
    want = rows("xx...", "xx...", "xxx..", "xxxx.", "xxxxx")
    np.testing.assert_array_equal(table(Prefix(2) | Causal(), at(), at()), want)
    assert not (Prefix(2) | Causal()).causal
    assert (Prefix(2) & Causal()).causal


def test_bidirectional_sees_all() -> None:
    assert table(Bidirectional(), at(), at()).all()
    assert not table(~Bidirectional(), at(), at()).any()


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (ChunkedLocal, 0, "size=0 must be at least 1"),
        (Dilated, 0, "step=0 must be at least 1"),
        (Prefix, -1, "length=-1 must be at least 0"),
    ],
)
def test_rules_through_which_nothing_is_seen_are_refused(
    kind: type[Mask], value: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind(value)
