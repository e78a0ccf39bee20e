"""Log-likelihoods against the model's distribution, one text at a time."""

import jax.numpy as jnp
import numpy as np
import pytest
from recipes_generation import DECODER, SEQ2SEQ, log_probabilities, random_params

from blocks import LearnedPositions, TokenEmbedding, override
from recipes.errors import RecipeError
from recipes.generation.scoring import log_likelihood

PROMPTS = [[1, 2, 3], [2]]
CONTINUATIONS = [[4], [0, 1, 2]]
TOKENS = jnp.zeros((1, 2), jnp.int32)


def summed(model, params, prompt, continuation, source=None):
    (logs,) = log_probabilities(model, params, [[*prompt, *continuation]], source)
    return sum(logs[len(prompt) - 1 + i, token] for i, token in enumerate(continuation))


def test_continuations_are_scored_given_their_prompts():
    params = random_params(DECODER, TOKENS)
    expected = [summed(DECODER, params, *pair) for pair in zip(PROMPTS, CONTINUATIONS, strict=True)]
    got = log_likelihood(DECODER, params, PROMPTS, CONTINUATIONS)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_and_given_their_sources():
    params = random_params(SEQ2SEQ, TOKENS, TOKENS)
    sources = [[1], [2, 3, 4, 0]]
    rows = zip(PROMPTS, CONTINUATIONS, sources, strict=True)
    expected = [summed(SEQ2SEQ, params, *row) for row in rows]
    got = log_likelihood(SEQ2SEQ, params, PROMPTS, CONTINUATIONS, source=sources)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_the_wrong_number_of_rows_and_unknown_tokens_are_refused():
    params = random_params(DECODER, TOKENS)
    with pytest.raises(RecipeError, match="2 prompts and 1 continuations"):
        log_likelihood(DECODER, params, PROMPTS, [[1]])
    with pytest.raises(RecipeError, match="Token id 5 in row 0 of continuation"):
        log_likelihood(DECODER, params, [[1]], [[5]])
    with pytest.raises(RecipeError, match="EncoderDecoder reads a source"):
        log_likelihood(SEQ2SEQ, params, [[1]], [[1]])


def test_texts_are_as_long_as_the_learned_positions_and_no_longer():
    model = override(DECODER, TokenEmbedding, position=LearnedPositions(max_length=4))
    params = random_params(model, TOKENS)
    (got,) = log_likelihood(model, params, [[1, 2]], [[3, 4]])
    assert got == pytest.approx(summed(model, params, [1, 2], [3, 4]), abs=1e-4)
    with pytest.raises(RecipeError, match="longest text has 5 tokens, and the model 4 positions"):
        log_likelihood(model, params, [[1, 2]], [[3, 4, 0]])
