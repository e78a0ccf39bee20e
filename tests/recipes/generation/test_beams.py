"""Beam search against an enumeration of all continuations."""

import itertools

import jax.numpy as jnp
import pytest
from recipes_generation import DECODER, SEQ2SEQ, VOCAB, log_probabilities, random_params

from blocks import LearnedPositions, TokenEmbedding, override
from recipes.errors import RecipeError
from recipes.generation.beams import beam_search

TOKENS = 3
END = (4,)
EVERYTHING = VOCAB**TOKENS


def enumerated(model, params, prompt, length_penalty, source=None, end=END):
    """All continuations by score, the best first."""
    found = {}
    texts = list(itertools.product(range(VOCAB), repeat=TOKENS))
    rows = log_probabilities(model, params, [[*prompt, *text] for text in texts], source)
    for text, logs in zip(texts, rows, strict=True):
        ends = [i + 1 for i, token in enumerate(text) if token in end]
        text = text[: min(ends, default=TOKENS)]
        if text not in found:
            steps = range(len(prompt) - 1, len(prompt) - 1 + len(text))
            total = sum(logs[i, token] for i, token in zip(steps, text, strict=True))
            found[text] = total / len(text) ** length_penalty
    return sorted(found.items(), key=lambda item: -item[1])


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_search_as_wide_as_all_texts_finds_the_best_of_each_row(length_penalty):
    params = random_params(DECODER, jnp.zeros((1, 2), jnp.int32))
    prompts = [[1, 2, 3], [2]]
    options = {"tokens": TOKENS, "beams": EVERYTHING, "length_penalty": length_penalty}
    rows = beam_search(DECODER, params, prompts, end=END, **options)
    for prompt, row in zip(prompts, rows, strict=True):
        expected = enumerated(DECODER, params, prompt, length_penalty)[:5]
        assert [found.tokens for found in row[:5]] == [text for text, _ in expected]
        assert [found.score for found in row[:5]] == pytest.approx(
            [s for _, s in expected], abs=1e-4
        )


@pytest.mark.slow
def test_the_decoder_of_a_pair_is_searched_with_its_source():
    inputs = jnp.zeros((1, 2), jnp.int32)
    params = random_params(SEQ2SEQ, inputs, inputs)
    sources = [[1, 2, 3], [4, 1]]
    options = {"tokens": TOKENS, "beams": EVERYTHING, "end": END}
    rows = beam_search(SEQ2SEQ, params, [[0], [0]], source=sources, **options)
    for source, row in zip(sources, rows, strict=True):
        assert row[0].tokens == enumerated(SEQ2SEQ, params, [0], 1.0, source)[0][0]


def test_one_beam_is_the_most_probable_token_each_time():
    params = random_params(DECODER, jnp.zeros((1, 2), jnp.int32))
    ((found,),) = beam_search(DECODER, params, [[1, 2]], tokens=4, beams=1)
    text = [1, 2]
    for token in found.tokens:
        assert token == log_probabilities(DECODER, params, [text])[0, -1].argmax()
        text.append(token)


def test_a_source_without_an_encoder_is_refused():
    params = random_params(DECODER, jnp.zeros((1, 2), jnp.int32))
    with pytest.raises(RecipeError, match="CausalLM has no encoder to read it"):
        beam_search(DECODER, params, [[1]], tokens=1, beams=1, source=[[1]])


def test_a_search_reaches_the_last_learned_position_and_not_past_it():
    model = override(DECODER, TokenEmbedding, position=LearnedPositions(max_length=5))
    params = random_params(model, jnp.zeros((1, 2), jnp.int32))
    ((best, *_),) = beam_search(model, params, [[1, 2]], tokens=TOKENS, beams=EVERYTHING)
    assert best.tokens == enumerated(model, params, [1, 2], 1.0, end=())[0][0]
    with pytest.raises(RecipeError, match="prompt of 2 and tokens=4 are more than the 5 positions"):
        beam_search(model, params, [[1, 2]], tokens=4, beams=2)
