"""Texts that are drawn from in the proportions of weights."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from recipes.config import Recipe
from recipes.data import build_tokenizer, load_corpus
from recipes.data.batches import evaluation_batches, training_batches
from recipes.data.encoded import Mixture
from recipes.data.splits import split_corpus
from recipes.errors import RecipeError

# Two texts of 40 and 100 tokens, of which the last of the first and the first of the second are
# left out; a token is its position.
TOKENS = Mixture(np.arange(140), np.array([0, 39, 40, 41, 70]), ((0, 39), (41, 140)), (3.0, 1.0))


def batches(**options):
    return training_batches(TOKENS, **{"context": 4, "batch_size": 8, "seed": 5, **options})


def test_windows_have_the_shares_of_the_weights() -> None:
    drawn = np.concatenate([b["inputs"] for b in itertools.islice(batches(), 50)])
    assert (drawn[:, 0] < 40).sum() == 50 * 8 * 3 // 4
    # Every batch has them too.
    assert ((drawn[:, 0] < 40).reshape(50, 8).sum(axis=1) == 6).all()


@pytest.mark.parametrize("weights", [(1.0, 2.5), (0.1, 0.2)])
def test_weights_need_not_be_integers(weights) -> None:
    tokens = Mixture(TOKENS.ids, TOKENS.starts, TOKENS.parts, weights)
    stream = training_batches(tokens, context=4, batch_size=7, seed=0)
    firsts = np.concatenate([b["inputs"][:, 0] for b in itertools.islice(stream, 100)])
    assert (firsts < 40).mean() == pytest.approx(weights[0] / sum(weights), abs=1 / 700)


def test_weights_are_rounded_to_a_hundredth_of_the_smallest() -> None:
    tokens = Mixture(TOKENS.ids, TOKENS.starts, TOKENS.parts, (1.0, 1.15))
    batch = next(training_batches(tokens, context=4, batch_size=215, seed=0))
    assert (batch["inputs"][:, 0] < 40).sum() == 100


@pytest.mark.parametrize("epoch", [0, 1])
def test_texts_of_equal_size_are_drawn_in_orders_of_their_own(epoch: int) -> None:
    tokens = Mixture(np.arange(80), np.array([0, 40]), ((0, 40), (40, 80)), (1.0, 1.0))
    stream = training_batches(tokens, context=4, batch_size=2 * 36, seed=5)
    drawn = [batch["inputs"][:, 0] for batch in itertools.islice(stream, 2)]
    other = drawn[0][drawn[0] >= 40] - 40
    assert (drawn[epoch][drawn[epoch] < 40] != other).any()


def test_every_text_has_epochs_of_its_own() -> None:
    firsts = np.concatenate([b["inputs"][:, 0] for b in itertools.islice(batches(), 48)])
    # Three quarters of 384 windows are eight epochs of 39 - 4 windows, and a part of the ninth.
    one = firsts[firsts < 40]
    epochs = one[: 8 * 35].reshape(8, 35)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(35), (8, 1)))
    assert (epochs[0] != epochs[1]).any()
    # A quarter is one of 99 - 4, and the first of the next.
    np.testing.assert_array_equal(np.sort(firsts[firsts > 40][:95]), np.arange(41, 136))


@pytest.mark.parametrize("documents", ["joined", "packed", "padded"])
def test_windows_stay_inside_their_text(documents) -> None:
    for batch in itertools.islice(batches(documents=documents), 30):
        real = batch.get("weights", np.ones((8, 4))) > 0
        inputs, targets = batch["inputs"], batch["targets"]
        # In padded windows the token after a text is the last target of its last document.
        inside = np.where(inputs[:, :1] < 40, targets <= 39, targets >= 42)
        assert (inside | ~real).all()
        assert not np.isin(inputs[real], [39, 40]).any()


def test_it_goes_on_where_it_stopped() -> None:
    whole = list(itertools.islice(batches(), 30))
    stopped = batches()
    list(itertools.islice(stopped, 13))
    resumed = batches()
    resumed.set_state(json.loads(json.dumps(stopped.get_state())))
    for one, other in zip(whole[13:], resumed, strict=False):
        np.testing.assert_array_equal(one["inputs"], other["inputs"])


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    (tmp_path / "few.jsonl").write_text('{"text": "aaaaaaaaaa"}\n' * 30, "utf-8")
    (tmp_path / "many.txt").write_text("b" * 3000, "utf-8")
    return [str(tmp_path / "few.jsonl"), str(tmp_path / "many.txt")]


def test_each_source_is_split(texts: list[str]) -> None:
    corpus = load_corpus(*texts, weights=(1.0, 3.0))
    tokenizer = build_tokenizer("characters", corpus)
    train, held_out = split_corpus(corpus, tokenizer, 8)
    # 30 documents of 10 characters and 3000 of one, each with a line break before it.
    assert train.parts == ((0, 297), (330, 330 + 2700))
    assert held_out.parts == ((297, 330), (3030, 3331))
    decoded = tokenizer.decode(held_out.excerpt(100).ids)
    assert (decoded.count("a"), decoded.count("b")) == (24 - 2, 75)
    assert len(held_out.excerpt()) == 33 + 301
    assert len(evaluation_batches(held_out.excerpt(100), context=8, batch_size=4)) == 4


def test_another_text_validates(texts: list[str]) -> None:
    corpus = load_corpus(*texts, weights=(1.0, 3.0), validation=texts[1:])
    tokenizer = build_tokenizer("characters", corpus)
    train, held_out = split_corpus(corpus, tokenizer, 8)
    assert train.parts == ((0, 330), (330, 3331))
    assert len(held_out.excerpt(50)) == 50


def test_a_source_too_short_is_refused(texts: list[str]) -> None:
    corpus = load_corpus(*texts, weights=(1.0, 3.0))
    with pytest.raises(RecipeError, match="The corpus has 330 tokens, 297 to train on and 33"):
        split_corpus(corpus, build_tokenizer("characters", corpus), 33)


def test_a_source_without_documents_is_refused(texts: list[str]) -> None:
    Path(texts[0]).write_text("\n", "utf-8")
    with pytest.raises(RecipeError, match="is empty, and has a weight"):
        load_corpus(*texts, weights=(1.0, 3.0))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((1.0,), r"weights=\(1\.0,\) and data=\('a', 'b'\) must have the same length"),
        ((1.0, 0.0), r"weights=\(1\.0, 0\.0\) must be positive"),
        ((1.0, float("inf")), "must be positive"),
    ],
)
def test_weights_that_cannot_be(weights, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe(data=("a", "b"), weights=weights)
