import jax
import jax.numpy as jnp
import numpy as np
import pytest
from recipes_generation import DECODER, SEQ2SEQ, log_probabilities, random_params

from blocks import MLP, replace
from recipes.config import GPTConfig
from recipes.data import CharTokenizer
from recipes.errors import RecipeError
from recipes.generation.generate import generate, lengths
from recipes.generation.sampling import GREEDY, Sampling
from recipes.generation.text import write
from recipes.nanogpt import build_gpt

CONTEXT = 8
MODEL = build_gpt(GPTConfig(num_layers=1, num_heads=2, features=16, context=CONTEXT, vocab_size=7))

UNCACHED = jax.jit(MODEL.apply)


@pytest.fixture(scope="module")
def params() -> dict:
    made = MODEL.init(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"]
    return jax.tree.map(lambda x: x + 0.5 * jax.random.normal(jax.random.key(1), x.shape), made)


def drawn(params: dict, prompt: list[int], tokens: int, seed: int = 0, **options) -> list[int]:
    sampling = Sampling(**options)
    chunks = generate(
        MODEL, params, np.array([prompt]), tokens=tokens, context=CONTEXT,
        key=jax.random.key(seed), sampling=sampling,
    )  # fmt: skip
    return [int(token) for chunk in chunks for token in chunk[0]]


def most_probable(params: dict, text: list[int]) -> int:
    """The next token by the uncached model; what follows the text cannot change it."""
    padded = jnp.array([text + [0] * (CONTEXT - len(text))])
    return int(UNCACHED({"params": params}, padded)[0, len(text) - 1].argmax())


@pytest.mark.parametrize("length", [1, 2, 5])
def test_greedy_tokens_are_those_of_the_uncached_model(params: dict, length: int) -> None:
    text = [3, 1, 4, 1, 5][:length]
    expected = list(text)
    while len(expected) <= CONTEXT:
        expected.append(most_probable(params, expected))
    got = drawn(params, text, CONTEXT + 1 - length, temperature=0.0)
    assert got == expected[length:]


def test_past_the_context_the_window_slides_by_half(params: dict) -> None:
    """After the cache is full, a token is the model's on the last half and what followed."""
    half = CONTEXT // 2
    text = [3]
    window = [3]
    for token in drawn(params, text, 30, temperature=0.0):
        if len(window) > CONTEXT:
            window = window[-half - 1 :]
        assert token == most_probable(params, window)
        window.append(token)


def test_the_same_key_draws_the_same_and_another_key_other_tokens(params: dict) -> None:
    assert drawn(params, [1], 20) == drawn(params, [1], 20)
    assert drawn(params, [1], 20, seed=1) != drawn(params, [1], 20)


def test_asking_for_fewer_tokens_gives_the_beginning(params: dict) -> None:
    assert drawn(params, [1], 7) == drawn(params, [1], 20)[:7]


def test_prompts_and_numbers_of_tokens_share_the_compiled_functions() -> None:
    traces = []

    def activation(x: jax.Array) -> jax.Array:
        traces.append(x.shape)  # runs where a layer is traced, not where it is run
        return jax.nn.relu(x)

    mlp = MLP(hidden=8, activation=activation)
    model = replace(MODEL, MLP, lambda old: mlp)
    made = model.init(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"]

    def draw(prompt: list[int], tokens: int) -> None:
        key = jax.random.key(tokens)
        list(generate(model, made, [prompt], tokens=tokens, context=CONTEXT, key=key))

    traces.clear()
    draw([1], 30)
    # The prompt and half a context are read as one shape, and one token is drawn in a loop.
    assert {shape[1] for shape in traces} == {CONTEXT // 2, 1}
    first = len(traces)
    for prompt, tokens in (([1, 2, 3], 30), ([2], 1), ([1, 2, 3, 4], 17)):
        draw(prompt, tokens)
    assert len(traces) == first


def test_tokens_come_a_few_at_a_time(params: dict) -> None:
    options = {"context": CONTEXT, "key": jax.random.key(0)}
    sizes = [c.shape for c in generate(MODEL, params, [[1], [2]], tokens=9, **options)]
    assert all(batch == 2 for batch, _ in sizes)
    assert sum(tokens for _, tokens in sizes) == 9
    assert len(sizes) > 1


def test_rows_of_a_batch_do_not_see_each_other(params: dict) -> None:
    options = {"tokens": 20, "context": CONTEXT, "key": jax.random.key(0)}
    greedy = Sampling(temperature=0.0)
    prompts = [[1, 2], [5, 3], [6, 6]]
    together = generate(MODEL, params, prompts, sampling=greedy, **options)
    rows = np.concatenate(list(together), axis=1)
    for prompt, row in zip(prompts, rows, strict=True):
        assert drawn(params, prompt, 20, temperature=0.0) == row.tolist()


@pytest.mark.parametrize("context", [1, 2, 3])
def test_the_smallest_contexts_slide_too(params: dict, context: int) -> None:
    key = jax.random.key(0)
    chunks = generate(MODEL, params, [[1, 2]], tokens=7, context=context, key=key)
    assert sum(chunk.shape[1] for chunk in chunks) == 7


def test_text_comes_with_its_prompt_and_characters_whole(params: dict) -> None:
    tokenizer = CharTokenizer("abcdeé日")
    options = {"tokens": 12, "context": CONTEXT, "key": jax.random.key(0)}
    text = "".join(write(MODEL, params, tokenizer, "日a", **options))
    ids = drawn(params, tokenizer.encode("日a").tolist(), 12, temperature=0.8)
    assert text == "日a" + tokenizer.decode(ids)


def test_an_empty_prompt_is_refused(params: dict) -> None:
    options = {"tokens": 1, "context": CONTEXT, "key": jax.random.key(0)}
    with pytest.raises(RecipeError, match="The prompt is empty"):
        list(write(MODEL, params, CharTokenizer("abcdefg"), "", **options))


def test_a_long_prompt_counts_by_its_end(params: dict) -> None:
    long = [1, 2, 3, 4, 5, 6] * 3
    assert drawn(params, long, 5) == drawn(params, long[-CONTEXT:], 5)


GREEDY_20 = {"tokens": 20, "context": CONTEXT, "sampling": Sampling(temperature=0.0)}


def rows_of(chunks) -> list[list[int]]:
    return np.concatenate(list(chunks), axis=1).tolist()


def test_prompts_of_different_lengths_give_what_each_gives_alone(params: dict) -> None:
    prompts = [[1, 2, 3, 4, 5], [5], [6, 6]]
    rows = rows_of(generate(MODEL, params, prompts, **{**GREEDY_20, "tokens": 4}))
    for prompt, row in zip(prompts, rows, strict=True):
        assert drawn(params, prompt, 4, temperature=0.0) == row


def test_a_row_repeats_its_end_token_and_drawing_stops_when_all_have_ended(params: dict) -> None:
    prompts = [[1, 2], [5, 3]]
    free = rows_of(generate(MODEL, params, prompts, **GREEDY_20))
    end = free[0][3]
    ended = rows_of(generate(MODEL, params, prompts, end=[end], **GREEDY_20))
    places = [row.index(end) if end in row else 19 for row in free]
    for row, before, place in zip(ended, free, places, strict=True):
        assert row[: place + 1] == before[: place + 1]
        assert set(row[place + 1 :]) <= {end}
    assert len(ended[0]) == max(places) + 1


def test_without_a_context_the_learned_positions_are_the_context(params: dict) -> None:
    options = {**GREEDY_20, "context": None}
    assert rows_of(generate(MODEL, params, [[1]], **options)) == rows_of(
        generate(MODEL, params, [[1]], **GREEDY_20)
    )


def test_without_a_limit_every_token_is_drawn_given_all_before_it() -> None:
    weights = random_params(DECODER, jnp.zeros((1, 2), jnp.int32))
    (row,) = rows_of(generate(DECODER, weights, [[1, 2]], tokens=70, sampling=GREEDY))
    text = [1, 2, *row]
    expected = log_probabilities(DECODER, weights, [text])[0, 1:-1].argmax(axis=-1)
    assert row == expected.tolist()


def test_an_encoder_decoder_continues_given_its_source() -> None:
    tokens = jnp.zeros((1, 2), jnp.int32)
    weights = random_params(SEQ2SEQ, tokens, tokens)
    sources = [[1, 2, 3], [4]]
    rows = rows_of(
        generate(SEQ2SEQ, weights, [[0], [0]], tokens=20, source=sources, sampling=GREEDY)
    )
    for source, row in zip(sources, rows, strict=True):
        expected = log_probabilities(SEQ2SEQ, weights, [[0, *row]], source)[0, :-1].argmax(axis=-1)
        assert row == expected.tolist()


def test_tokens_that_the_text_has_are_penalized(params: dict) -> None:
    """With a penalty of 3, a positive logit counts a third and a negative one three times."""
    text = [3, 1]
    sampling = Sampling(temperature=0.0, repetition_penalty=3.0)
    options = {"tokens": 6, "context": CONTEXT, "sampling": sampling}
    (row,) = rows_of(generate(MODEL, params, [text], **options))
    for token in row:
        padded = jnp.array([text + [0] * (CONTEXT - len(text))])
        logits = np.array(UNCACHED({"params": params}, padded)[0, len(text) - 1])
        for known in set(text):
            logits[known] *= 3.0 if logits[known] < 0 else 1 / 3
        assert token == logits.argmax()
        text.append(token)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens": 0}, "tokens=0 must be a whole number"),
        ({"context": 0}, "context=0 must be a whole number"),
        ({"key": 7, "sampling": Sampling()}, "key=7 must be one random key"),
        ({"prompt": [[9]]}, "Token id 9 in row 0 of prompt is outside the vocabulary, 0 to 6"),
        ({"prompt": [[1.5]]}, "token ids are integers"),
        ({"end": [7]}, "Token id 7 in row 0 of end"),
        ({"source": [[1]]}, "has no encoder"),
    ],
)
def test_arguments_that_cannot_be_are_refused(params: dict, options: dict, message: str) -> None:
    given = {"prompt": [[1]], **GREEDY_20, **options}
    with pytest.raises(RecipeError, match=message):
        list(generate(MODEL, params, given.pop("prompt"), **given))


@pytest.mark.parametrize(
    ("length", "tokens", "context", "sizes"),
    [
        (127, 128, 1024, (128, 897, 256)),
        (127, 128, None, (128, 128, 256)),
        (600, 10, 1024, (1023, 424, 1536)),
        (0, 10_000, 1024, (64, 1024, 1536)),
        (32, 10_000, 64, (32, 32, 64)),
    ],
)
def test_texts_and_caches_are_as_long_as_prompt_and_tokens_need(
    length: int, tokens: int, context: int | None, sizes: tuple[int, int, int]
) -> None:
    """Lengths are powers of two from 64, or what context and half of it allow."""
    assert lengths(length, tokens, context, 0) == sizes


def test_more_tokens_come_at_a_time_where_they_come_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recipes.generation.generate.SOON", float("inf"))
    weights = random_params(DECODER, jnp.zeros((1, 2), jnp.int32))
    chunks = generate(DECODER, weights, [[1, 2]], tokens=64, sampling=GREEDY)
    assert [chunk.shape[1] for chunk in chunks] == [16, 32, 16]
