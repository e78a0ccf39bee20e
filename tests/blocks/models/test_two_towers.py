"""Two towers: scores of pairs, and what each tower is told of padding."""

import chex
import jax
import jax.numpy as jnp
import pytest

from blocks import MLP, Context, Encoder, MeanPool, Stack, TokenEmbedding
from blocks.heads import MarkedToken, PooledHead
from blocks.models import TwoTowers


def tower(features: int = 4, **head: object) -> Encoder:
    return Encoder(
        embed=TokenEmbedding(vocab_size=9, features=8),
        stack=Stack(block=MLP(hidden=4), depth=1),
        head=PooledHead(features=features, **head),
    )


MODEL = TwoTowers(first=tower(pool=MeanPool()), second=tower(pool=MarkedToken(token_id=8)))
FIRST, SECOND = jnp.array([[1, 2, 3], [3, 4, 0]]), jnp.array([[5, 8, 1], [8, 2, 8]])
VARIABLES = MODEL.init(jax.random.key(0), FIRST, SECOND)


def test_each_tower_leaves_its_own_padding_out() -> None:
    first = Context(valid=jnp.array([[True] * 3, [True, True, False]]))
    second = Context(valid=jnp.array([[True] * 3, [True, True, False]]))
    got = MODEL.apply(VARIABLES, FIRST, SECOND, first, True, second)
    params = VARIABLES["params"]
    short = [
        MODEL.first.apply({"params": params["first"]}, tokens)[0]
        for tokens in (FIRST[:1], FIRST[1:, :2])
    ]
    marked = MODEL.second.apply({"params": params["second"]}, jnp.array([[8]]))[0]
    cosines = [v @ marked / jnp.linalg.norm(v) / jnp.linalg.norm(marked) for v in short]
    chex.assert_trees_all_close(got[:, 0], got[:, 1], atol=1e-5)
    chex.assert_trees_all_close(got[:, 0], jnp.stack(cosines) / 0.07, rtol=1e-3)


def test_vectors_of_other_widths_are_refused() -> None:
    uneven = TwoTowers(first=tower(4), second=tower(5))
    with pytest.raises(ValueError, match=r"towers give \(2, 4\) and \(2, 5\)"):
        uneven.init(jax.random.key(0), FIRST, SECOND)
