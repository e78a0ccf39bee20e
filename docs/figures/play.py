"""The data of the page to play with: a tiny GPT, trained when it is built, and what it says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blocks import (
    MLP,
    Causal,
    CausalLM,
    LMHead,
    MultiHeadAttention,
    Normal,
    RMSNorm,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    attention_weights,
)

VOCABULARY = 512
COUNTED = 1500  # words that pairs are counted in; the rest are rare, and many
CONTEXT = 32
STEPS = 600
BATCH = 8

Call = Callable[[Any], Any]

# Read with attention: words that come again give a head something to look back at.
SENTENCES = (
    "If the method returns a value, the value is passed to the method.",
    "The class statement defines a class, and the def statement defines a function.",
    'If an object does not define "__iter__()", then the object is not an iterable.',
)
# After some the model is nearly sure, after others it is not.
PROMPTS = (
    "A list is a sequence of",
    "the base cla",
    "Changed in version 3.",
    "The expression is eval",
    "the name of the attri",
    "If the object has no",
    "This method should return the",
)


@dataclass(frozen=True)
class Pieces:
    """A byte-pair encoding: the commonest pair of pieces becomes one, again and again.

    Attributes:
        vocabulary: the pieces, each by its id: characters and then what merging made of them.
        merges: the pairs that were merged, in that order.
    """

    vocabulary: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, text: str, size: int) -> Pieces:
        """The `size` pieces of a text. Pairs do not cross words."""
        counts = dict(Counter(words_of(text)).most_common(COUNTED))
        words = {word: [*word] for word in counts}
        characters = sorted(set(text))
        merges: list[tuple[str, str]] = []
        while len(characters) + len(merges) < size:
            pairs: Counter[tuple[str, str]] = Counter()
            for word, pieces in words.items():
                for pair in pairwise(pieces):
                    pairs[pair] += counts[word]
            # Of pairs that are equally common the first in the alphabet.
            best = min(pairs, key=lambda pair: (-pairs[pair], pair))
            merges.append(best)
            words = {word: merged(pieces, best) for word, pieces in words.items()}
        return cls((*characters, *("".join(pair) for pair in merges)), tuple(merges))

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""
        ids = {piece: number for number, piece in enumerate(self.vocabulary)}
        known: dict[str, list[int]] = {}
        for word in set(words_of(text)):
            pieces = [*word]
            for pair in self.merges:
                pieces = merged(pieces, pair)
            known[word] = [ids[piece] for piece in pieces]
        return [number for word in words_of(text) for number in known[word]]


def words_of(text: str) -> list[str]:
    """The words of a text, each with the space before it."""
    return re.findall(r" ?[A-Za-z]+| ?[^A-Za-z ]+| ", text)


def merged(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """The pieces with each pair of neighbours that is `pair` made one."""
    first, second = pair
    if first not in pieces:
        return pieces
    out: list[str] = []
    for piece in pieces:
        if out and out[-1] == first and piece == second:
            out[-1] += second
        else:
            out.append(piece)
    return out


def page_data() -> dict[str, Any]:
    """What the page shows: the pieces, attention in each sentence, logits after each token."""
    from recipes.data import load_corpus

    # One space for all that separates: the manual's line breaks say little.
    text = " ".join(load_corpus("manual").text.split())
    pieces = Pieces.of(text, VOCABULARY)
    model, params = trained(text, pieces)
    weights = jax.jit(lambda ids: attention_weights(model, {"params": params}, ids))
    after = jax.jit(lambda ids: model.apply({"params": params}, ids))
    return {
        "pieces": list(pieces.vocabulary),
        "sentences": [attention(weights, pieces, text) for text in SENTENCES],
        "prompts": [logits(after, pieces, text) for text in PROMPTS],
    }


def attention(ask: Call, pieces: Pieces, text: str) -> dict[str, Any]:
    """The weights of a sentence, layer by layer, head by head, query by query, of what it sees."""
    ids = pieces.encode(text)
    weights = [
        [[rounded(head[query, : query + 1]) for query in range(len(ids))] for head in layer[0]]
        for layer in map(np.asarray, ask(padded(ids)).values())
    ]
    return {"text": text, "tokens": ids, "weights": weights}


def logits(ask: Call, pieces: Pieces, text: str) -> dict[str, Any]:
    """The logits of all pieces after each token of a prompt."""
    ids = pieces.encode(text)
    after = np.asarray(ask(padded(ids)))[0, : len(ids)]
    return {"text": text, "tokens": ids, "logits": [rounded(row) for row in after]}


def padded(ids: list[int]) -> Any:
    """A batch of one text, as long as the context: what comes later changes nothing before."""
    return jnp.asarray([ids + [0] * (CONTEXT - len(ids))])


def rounded(values: Any) -> list[float]:
    """Numbers of three digits, so that the page stays small."""
    return [float(f"{value:.3g}") for value in values]


def tiny(vocab_size: int) -> CausalLM:
    """Two layers of four heads. Rotary positions let heads find their neighbours in few steps."""
    return CausalLM(
        embed=TokenEmbedding(vocab_size=vocab_size, features=96, embedding_init=Normal(stddev=0.2)),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=4, position=RoPE(theta=1000.0), mask=Causal(), use_bias=False
                ),
                mlp=MLP(hidden=384),
                norm=RMSNorm(),
            ),
            depth=2,
        ),
        norm=RMSNorm(),
        head=LMHead(vocab_size=vocab_size, use_bias=False),
    )


def trained(text: str, pieces: Pieces, steps: int = STEPS) -> tuple[CausalLM, Any]:
    """The model, and its parameters after reading the text."""
    from recipes.data.batches import training_batches
    from recipes.nanogpt import next_token_loss
    from recipes.trainer.loop import Trainer
    from recipes.trainer.optimizers import build_optimizer
    from recipes.trainer.settings import OptimizerSettings, TrainerSettings
    from recipes.trainer.state import TrainState

    model = tiny(len(pieces.vocabulary))
    state = TrainState.create(
        apply_fn=model.apply,
        params=jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 1), jnp.int32))["params"],
        tx=build_optimizer(OptimizerSettings(learning_rate=5e-3, warmup_steps=20), steps),
        key=jax.random.key(1),
    )
    trainer = Trainer(
        state,
        loss=next_token_loss,
        settings=TrainerSettings(max_steps=steps, log_every=min(100, steps)),
    )
    tokens = np.asarray(pieces.encode(text), np.int32)
    batches = training_batches(tokens, context=CONTEXT, batch_size=BATCH, seed=0)
    for _ in trainer.train(batches):
        pass
    return model, trainer.state.params
