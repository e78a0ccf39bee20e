"""Text as it is written: where it stops."""

import jax
import jax.numpy as jnp
import pytest

from recipes.config import GPTConfig
from recipes.data import CharTokenizer
from recipes.errors import RecipeError
from recipes.generation.sampling import GREEDY
from recipes.generation.text import before_stop, write
from recipes.nanogpt import build_gpt


@pytest.mark.parametrize("stop", ["\n\n", "end", "d", "xyz"])
def test_a_text_ends_before_the_first_stop_string_however_it_is_cut(stop):
    text = "a line\nan end\n\nmore"
    for size in (1, 2, 3, 5, 40):
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        assert "".join(before_stop(pieces, [stop])) == text.partition(stop)[0]


def test_the_first_of_several_stop_strings_counts():
    assert "".join(before_stop("abcdef", ["e", "cd"])) == "ab"


def test_what_cannot_begin_a_stop_string_comes_at_once():
    pieces = before_stop(iter(["one ", "two"]), ["stop"])
    assert next(pieces) == "one "


@pytest.fixture(scope="module")
def written():
    model = build_gpt(GPTConfig(num_layers=1, num_heads=2, features=16, context=8, vocab_size=7))
    params = model.init(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"]
    params = jax.tree.map(lambda x: x + 0.5 * jax.random.normal(jax.random.key(1), x.shape), params)
    tokenizer = CharTokenizer("abcdefg")

    def text(**options):
        pieces = write(model, params, tokenizer, "a", tokens=20, sampling=GREEDY, **options)
        return "".join(pieces)

    return text


def test_stop_strings_and_end_tokens_cut_the_continuation(written):
    whole = written(context=8)
    stop = whole[5:7]
    assert written(context=8, stop=[stop]) == "a" + whole[1:].partition(stop)[0]
    token = "abcdefg".index(whole[4])
    assert written(context=8, end=[token]) == "a" + whole[1:].partition(whole[4])[0]


@pytest.mark.parametrize("stop", ["text", [""], [1]])
def test_stop_strings_that_are_none_are_refused(written, stop):
    with pytest.raises(RecipeError, match=r"stop=.* must be a list of texts"):
        written(stop=stop)
