"""Beam search: the most probable continuations that a bounded search finds."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from recipes.errors import RecipeError
from recipes.generation.decoding import Cache, Memory, next_logits, read
from recipes.generation.generate import memory_of, own_context, rounded
from recipes.generation.prompts import Prompts, check_count, check_vocabulary, pad_left

# Score of a beam that does not exist: below every sum of log-probabilities, and finite.
_NONE = -1e9


class Continuation(NamedTuple):
    """A continuation that a search found.

    Attributes:
        tokens: Its token ids, with the end token if it has one.
        score: Its log-likelihood, divided by its length to the power of the length penalty.
    """

    tokens: tuple[int, ...]
    score: float


def beam_search(
    model: nn.Module,
    params: Any,
    prompt: Prompts,
    *,
    tokens: int,
    beams: int,
    end: Sequence[int] = (),
    length_penalty: float = 1.0,
    source: Prompts | None = None,
    source_valid: npt.ArrayLike | None = None,
) -> list[list[Continuation]]:
    r"""Search the continuations of highest score, $\log p(c) / |c|^\alpha$, a few at a time.

    Every step extends the best `beams` unfinished continuations by every token. Those that end
    compete for the result. The search of a row stops once the best unfinished one, at its present
    length, scores below the worst of `beams` finished ones.

    Args:
        model: A `CausalLM` or an `EncoderDecoder`.
        params: Its parameters.
        prompt: Token ids, rows of any lengths, of one id each at least.
        tokens: Maximum number of tokens of a continuation.
        beams: Number of continuations that are kept, and returned for each row.
        end: Token ids that end a continuation.
        length_penalty: The exponent $\alpha$: above 0 favours long continuations.
        source: What an encoder-decoder reads, as in `generate`.
        source_valid: Which tokens of an array of sources are real.

    Returns:
        The continuations of each row, the best first.

    Raises:
        RecipeError: An argument of the wrong kind, a size below 1, a token id past the vocabulary,
            or more tokens than the model has learned positions.

    References:
        Wu et al., Google's Neural Machine Translation System, 2016, arXiv:1609.08144, section 7,
        on the penalty, here without its constants.
    """
    ids, real = pad_left(prompt)
    check_count(tokens=tokens, beams=beams)
    limit = own_context(model)
    if limit is not None and ids.shape[1] + tokens > limit:
        raise RecipeError(
            f"The longest prompt of {ids.shape[1]} and tokens={tokens} are more than the {limit} "
            "positions of the model.",
            f"Ask for {max(1, limit - ids.shape[1])} tokens, or shorten the prompt.",
        )
    memory = memory_of(model, params, len(ids), source, source_valid)
    padded = rounded(ids.shape[1] - 1, limit)
    padding = ((0, 0), (padded - ids.shape[1] + 1, 0))
    text, valid = np.pad(ids[:, :-1], padding), np.pad(real[:, :-1], padding)
    size = padded + rounded(tokens)
    shapes = read.eval_shape(model, params, text, valid, memory, size=size)
    check_vocabulary(ids, shapes[1].shape[-1])
    cache, _ = read(model, params, text, valid, memory, size=size)
    axes = _batch_axes(model, params, text, valid, memory, size)

    searches = [_Search(beams, tuple(end), length_penalty) for _ in ids]
    parents, last = np.repeat(np.arange(len(ids)), beams), np.repeat(ids[:, -1], beams)
    kept = (len(end) + 1) * beams
    for step in range(tokens):
        scores = np.stack([search.scores for search in searches])
        cache, values, places = _extend(
            model, params, cache, parents, last, scores, size=size, axes=axes, kept=kept
        )
        for search, row, place in zip(
            searches, np.asarray(values), np.asarray(places), strict=True
        ):
            search.keep(row, place, shapes[1].shape[-1], last=step == tokens - 1)
        if all(search.closed for search in searches):
            break
        parents = np.concatenate([i * beams + s.parents for i, s in enumerate(searches)])
        last = np.array([text[-1] for search in searches for text in search.texts])
    return [search.finished for search in searches]


class _Search:
    """Beams of one row: unfinished continuations with their scores, and finished ones."""

    def __init__(self, beams: int, end: tuple[int, ...], length_penalty: float) -> None:
        self.beams, self.end, self.length_penalty = beams, end, length_penalty
        # All beams start as the prompt, and one of them is enough.
        self.scores = np.array([0.0] + [_NONE] * (beams - 1), np.float32)
        self.texts: list[tuple[int, ...]] = [()] * beams
        self.parents = np.zeros(beams, np.int64)
        self.finished: list[Continuation] = []
        self.closed = False

    def keep(self, scores: np.ndarray, places: np.ndarray, vocab_size: int, *, last: bool) -> None:
        """Sort the best extensions, in order, into finished and unfinished ones."""
        if self.closed:
            return
        length = len(self.texts[0]) + 1
        going = []
        for rank, (score, place) in enumerate(zip(scores.tolist(), places.tolist(), strict=True)):
            parent, token = divmod(place, vocab_size)
            text = (*self.texts[parent], token)
            if token not in self.end and not last:
                going.append((score, parent, text))
            elif rank < self.beams:
                self.finished.append(Continuation(text, score / length**self.length_penalty))
        self.finished.sort(key=lambda found: -found.score)
        del self.finished[self.beams :]
        going = going[: self.beams]
        if len(going) < self.beams:
            self.closed = True
            return
        chosen, parents, self.texts = (list(column) for column in zip(*going, strict=True))
        self.scores, self.parents = np.array(chosen, np.float32), np.array(parents)
        best = self.scores[0] / length**self.length_penalty
        self.closed = len(self.finished) == self.beams and best <= self.finished[-1].score


def _batch_axes(
    model: nn.Module, params: Any, text: np.ndarray, valid: np.ndarray, memory: Memory, size: int
) -> tuple[int | None, ...]:
    """Find the batch axis of each array in the cache: the one that grows with the batch."""

    def shapes(batch: int) -> list[tuple[int, ...]]:
        rows = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype), (text, valid, memory)
        )
        cache, _ = read.eval_shape(model, params, *rows, size=size)
        return [leaf.shape for leaf in jax.tree.leaves(cache)]

    pairs = zip(shapes(len(text)), shapes(len(text) + 1), strict=True)
    return tuple(
        next((axis for axis, (a, b) in enumerate(zip(*pair, strict=True)) if a != b), None)
        for pair in pairs
    )


@functools.partial(jax.jit, static_argnames=("model", "size", "axes", "kept"))
def _extend(
    model: nn.Module,
    params: Any,
    cache: Cache,
    parents: jax.Array,
    token: jax.Array,
    scores: jax.Array,
    *,
    size: int,
    axes: tuple[int | None, ...],
    kept: int,
) -> tuple[Cache, jax.Array, jax.Array]:
    """Extend the beams by one token; return scores and places of the best, `[batch, kept]`."""
    leaves, tree = jax.tree.flatten(cache)
    taken = [
        leaf if axis is None else jnp.take(leaf, parents, axis=axis)
        for leaf, axis in zip(leaves, axes, strict=True)
    ]
    logits, cache = next_logits(model, params, jax.tree.unflatten(tree, taken), token, size)
    sums = jax.nn.log_softmax(logits.astype(jnp.float32)).reshape(*scores.shape, -1)
    sums = (sums + scores[..., None]).reshape(scores.shape[0], -1)
    return cache, *jax.lax.top_k(sums, min(kept, sums.shape[-1]))
