"""Heads: from vectors to scores of tokens, of classes, of a value."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from laws.case import EMBED, VOCAB, Case, tokens, vectors
from laws.families.mlp import gelu
from laws.families.slots import CALL
from laws.references import Params, linear, reference

from blocks import (
    MLP,
    Biases,
    ClassifierHead,
    CrossAttention,
    Encoder,
    LayerNorm,
    LMHead,
    MaskedLMHead,
    MeanPool,
    Stack,
    TokenEmbedding,
)
from blocks import gelu as gelu_of_blocks
from blocks.heads import (
    AttentionPool,
    DensePool,
    FirstToken,
    LastToken,
    MarkedToken,
    MultiHeadPool,
    PooledHead,
    ProjectedHead,
    ValueHead,
)
from blocks.models import TwoTowers


def with_table(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (*vectors(key, batch, seq), jax.random.normal(key, (VOCAB, EMBED)))


def with_narrow_table(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (*vectors(key, batch, seq), jax.random.normal(key, (VOCAB, 3)))


def with_answers(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (*tokens(key, batch, seq), jnp.array([[3, 1, 4], [1, 5, 9], [2, 6, 5]]))


def tower(pool: Any) -> Encoder:
    return Encoder(
        embed=TokenEmbedding(vocab_size=VOCAB, features=EMBED),
        stack=Stack(block=MLP(hidden=4), depth=1),
        head=PooledHead(pool=pool, features=5),
    )


CASES = [
    Case("head_tied", LMHead(tied=True), with_table, 0, table=True),
    Case("head_own", LMHead(vocab_size=VOCAB, use_bias=True), vectors, EMBED * VOCAB + VOCAB),
    Case(
        "head_scaled", LMHead(tied=True, logit_scale=0.5, logit_cap=1.5), with_table, 0, table=True
    ),
    Case(
        "head_masked",
        MaskedLMHead(head=LMHead(tied=True, use_bias=True)),
        with_table,
        EMBED**2 + EMBED + 2 * EMBED + VOCAB,
        table=True,
    ),
    Case(
        "head_masked_no_bias",
        MaskedLMHead(
            head=LMHead(tied=True, use_bias=True), norm=LayerNorm(use_bias=False), use_bias=False
        ),
        with_table,
        EMBED**2 + EMBED + VOCAB,
        table=True,
    ),
    Case(
        "head_masked_narrow",
        MaskedLMHead(head=LMHead(tied=True), features=3),
        with_narrow_table,
        3 * EMBED + 3 + 2 * 3,
        table=True,
        heavy=True,
    ),
    Case(
        "head_projected",
        ProjectedHead(head=LMHead(tied=True), features=3, use_bias=False),
        with_narrow_table,
        3 * EMBED,
        table=True,
    ),
    Case(
        "head_projected_value",
        ProjectedHead(head=ValueHead(), activation=gelu_of_blocks),
        vectors,
        EMBED**2 + EMBED + EMBED + 1,
        heavy=True,
    ),
    Case("head_value", ValueHead(), vectors, EMBED + 1),
    Case(
        "classifier_first",
        ClassifierHead(num_classes=3, dropout_rate=0.3),
        vectors,
        3 * EMBED + 3,
        pools=True,
    ),
    Case(
        "classifier_last",
        ClassifierHead(num_classes=3, pool=LastToken(), use_bias=False),
        vectors,
        3 * EMBED,
        pools=True,
    ),
    Case(
        "classifier_mean",
        ClassifierHead(num_classes=3, pool=MeanPool(skip=1), norm=LayerNorm()),
        vectors,
        2 * EMBED + 3 * EMBED + 3,
        pools=True,
    ),
    Case(
        "pooled_multi_head",
        PooledHead(
            pool=MultiHeadPool(
                attention=CrossAttention(num_heads=2, use_bias=Biases(key=False)),
                mlp=MLP(hidden=3),
                norm=LayerNorm(use_bias=False),
            ),
            features=3,
        ),
        vectors,
        EMBED + 4 * EMBED**2 + 3 * EMBED + EMBED + 2 * 3 * EMBED + 3 + EMBED + 3 * EMBED,
        pools=True,
    ),
    Case(
        "classifier_attention",
        ClassifierHead(num_classes=3, pool=AttentionPool()),
        vectors,
        4 * EMBED + 3,
        pools=True,
    ),
    Case(
        "classifier_dense",
        ClassifierHead(num_classes=3, pool=DensePool(norm=LayerNorm())),
        vectors,
        EMBED**2 + 3 * EMBED + 3 * EMBED + 3,
        pools=True,
    ),
    Case(
        "pooled_head",
        PooledHead(features=3, use_bias=True, normalize=True),
        vectors,
        3 * EMBED + 3,
        pools=True,
    ),
    Case(
        "two_towers",
        TwoTowers(first=tower(MarkedToken()), second=tower(MeanPool()), use_bias=True),
        with_answers,
        2 * (VOCAB * EMBED + 8 * EMBED + 4 + EMBED + 5 * EMBED) + 2,
        argument="first",
        pools=True,
    ),
]


@reference.register
def _(block: LMHead, params: Params, x: np.ndarray, *table: np.ndarray) -> np.ndarray:
    kernel = table[0].T if block.tied else params["kernel"]
    logits = block.logit_scale * (x @ kernel + params.get("bias", 0.0))
    return (
        logits if block.logit_cap is None else block.logit_cap * np.tanh(logits / block.logit_cap)
    )


@reference.register
def _(block: MaskedLMHead, params: Params, x: np.ndarray, *table: np.ndarray) -> np.ndarray:
    h = reference(block.norm, params["norm"], gelu(linear(params["dense"], x)))
    return reference(block.head, params.get("head", {}), h, *table)


@reference.register
def _(block: ProjectedHead, params: Params, x: np.ndarray, *table: np.ndarray) -> np.ndarray:
    h = linear(params["dense"], x)
    h = h if block.activation is None else gelu(h)
    return reference(block.head, params.get("head", {}), h, *table)


@reference.register
def _(block: ValueHead, params: Params, x: np.ndarray) -> np.ndarray:
    return linear(params["value"], x)[:, 0]


@functools.singledispatch
def pooled(pool: Any, params: Params, x: np.ndarray) -> np.ndarray:
    """One vector of a sequence."""
    raise TypeError(f"{type(pool).__name__} has no reference: register one here.")


@pooled.register
def _(pool: FirstToken, params: Params, x: np.ndarray) -> np.ndarray:
    return x[0]


@pooled.register
def _(pool: LastToken, params: Params, x: np.ndarray) -> np.ndarray:
    return x[-1]


@pooled.register
def _(pool: MeanPool, params: Params, x: np.ndarray) -> np.ndarray:
    return x[pool.skip :].mean(axis=0)


@pooled.register
def _(pool: MultiHeadPool, params: Params, x: np.ndarray) -> np.ndarray:
    own = params["attention"]
    q, k, v = (
        np.einsum("te,ehd->thd", y, own[name]["kernel"]) + own[name].get("bias", 0.0)
        for name, y in (("query", params["query"]), ("key", x), ("value", x))
    )
    odds = np.exp(np.einsum("qhd,thd->ht", q, k) / np.sqrt(q.shape[-1]))
    heads = np.einsum("ht,thd->hd", odds / odds.sum(axis=1, keepdims=True), v)
    h = np.einsum("hd,hde->e", heads, own["out"]["kernel"]) + own["out"]["bias"]
    normed = reference(pool.norm, params["norm"], h[None])
    return h + reference(pool.mlp, params["mlp"], normed)[0]


@pooled.register
def _(pool: AttentionPool, params: Params, x: np.ndarray) -> np.ndarray:
    odds = np.exp(x @ params["query"][:, 0])
    return odds @ x / odds.sum()


@pooled.register
def _(pool: DensePool, params: Params, x: np.ndarray) -> np.ndarray:
    h = np.tanh(linear(params["dense"], x[0]))
    return reference(pool.norm, params["norm"], h[None])[0]


@pooled.register
def _(pool: MarkedToken, params: Params, x: np.ndarray) -> np.ndarray:
    return x[np.argmax(CALL["tokens"])]


@reference.register
def _(block: PooledHead, params: Params, x: np.ndarray) -> np.ndarray:
    y = linear(params["projection"], pooled(block.pool, params.get("pool", {}), x))
    return y / np.linalg.norm(y) if block.normalize else y


@reference.register
def _(block: TwoTowers, params: Params, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    def vector(name: str, tokens: np.ndarray) -> np.ndarray:
        tower, own = getattr(block, name), params[name]
        CALL["tokens"] = tokens
        x = reference(tower.embed, own["embed"], tokens)
        y = reference(tower.head, own["head"], reference(tower.stack, own["stack"], x))
        return y / np.linalg.norm(y)

    a, answers = vector("first", first), [vector("second", each.astype(int)) for each in second]
    return np.exp(params["scale"]) * np.array([a @ b for b in answers]) + params["bias"]


@reference.register
def _(block: ClassifierHead, params: Params, x: np.ndarray) -> np.ndarray:
    vector = pooled(block.pool, params.get("pool", {}), x)
    if block.norm is not None:
        vector = reference(block.norm, params["norm"], vector[None])[0]
    return linear(params["classes"], vector)
