"""Embeddings and heads: from token ids to vectors, and from vectors to logits."""

import jax
import numpy as np
from laws.case import EMBED, VOCAB, Case, tokens, vectors
from laws.references import Params, reference

from blocks import LMHead, SinusoidalPositions, TokenEmbedding


def with_table(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (*vectors(key, batch, seq), jax.random.normal(key, (VOCAB, EMBED)))


CASES = [
    Case(
        "embedding",
        TokenEmbedding(
            vocab_size=VOCAB, features=EMBED, position=SinusoidalPositions(), dropout_rate=0.3
        ),
        tokens,
        VOCAB * EMBED,
        argument="tokens",
    ),
    Case("head_tied", LMHead(tied=True), with_table, 0, shared=False),
    Case(
        "head_own",
        LMHead(vocab_size=VOCAB, use_bias=True),
        vectors,
        EMBED * VOCAB + VOCAB,
        shared=False,
    ),
]


@reference.register
def _(block: TokenEmbedding, params: Params, tokens: np.ndarray) -> np.ndarray:
    x = np.stack([params["embedding"][token] for token in tokens])
    if block.position is None:
        return x
    return reference(block.position, params.get("position", {}), x)


@reference.register
def _(block: LMHead, params: Params, x: np.ndarray, *table: np.ndarray) -> np.ndarray:
    kernel = table[0].T if block.tied else params["kernel"]
    return x @ kernel + params.get("bias", 0.0)
