"""What the page to play with shows: a tiny byte-pair encoding, and data of a model as it is."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from figures import play, play_parts

TEXT = "the class of the object is the class of the class. " * 40


@pytest.fixture(scope="module")
def small() -> tuple:
    """A model after one step, and its pieces."""
    pieces = play.Pieces.of(TEXT, 30)
    model, params = play.trained(TEXT, pieces, steps=1)
    return pieces, model, params


def test_the_commonest_pairs_become_pieces():
    # By hand: a-b stands four times; then space-ab and ab-c three times, of which the first wins.
    pieces = play.Pieces.of("abc abc abc ab", 6)
    assert pieces.vocabulary == (" ", "a", "b", "c", "ab", " ab")
    assert pieces.encode("abc abcb") == [4, 3, 5, 3, 2]


def test_pieces_say_the_text_again(small):
    pieces = small[0]
    ids = pieces.encode(TEXT)
    assert "".join(pieces.vocabulary[i] for i in ids) == TEXT
    assert len(ids) < len(TEXT) / 2


def test_attention_is_that_of_the_sentence_alone(small):
    """Padding changes nothing, and each row holds what its token sees, which sums to 1."""
    pieces, model, params = small
    ask = jax.jit(lambda ids: play.attention_weights(model, {"params": params}, ids))
    shown = play.attention(ask, pieces, "the object is the class")
    alone = play.attention_weights(model, {"params": params}, jnp.asarray([shown["tokens"]]))
    for layer, weights in zip(shown["weights"], alone.values(), strict=True):
        for head, wanted in zip(layer, np.asarray(weights)[0], strict=True):
            assert [len(row) for row in head] == list(range(1, len(shown["tokens"]) + 1))
            for query, row in enumerate(head):
                np.testing.assert_allclose(row, wanted[query, : query + 1], rtol=6e-3, atol=1e-6)
                assert sum(row) == pytest.approx(1.0, abs=0.02)


def test_logits_are_those_of_the_prompt_alone(small):
    pieces, model, params = small
    ask = jax.jit(lambda ids: model.apply({"params": params}, ids))
    shown = play.logits(ask, pieces, "the class of")
    alone = model.apply({"params": params}, jnp.asarray([shown["tokens"]]))[0]
    np.testing.assert_allclose(shown["logits"], alone, rtol=6e-3, atol=1e-5)


def test_numbers_have_three_digits():
    assert play.rounded([0.123456, -12.3456, 0.0]) == [0.123, -12.3, 0.0]


def test_the_data_cannot_end_its_element():
    text = play_parts.scripts("../assets", {"pieces": ["</script>", "é"]})
    assert text.count("</script>") == 3
    inside = text.partition('id="play-data">')[2].partition("</script>")[0]
    assert json.loads(inside) == {"pieces": ["</script>", "é"]}
    assert 'src="../assets/play.js"' in text
