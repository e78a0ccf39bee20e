"""Mistakes in heads and poolers."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import X, shapes, told

from blocks import MLP, CrossAttention, LMHead, MultiHeadAttention
from blocks.heads import MarkedToken, MultiHeadPool
from blocks.models import TwoTowers

CASES = (
    told(
        "MultiHeadPool attention",
        lambda: MultiHeadPool(attention=MultiHeadAttention(num_heads=2)),
        ValueError,
        "MultiHeadPool: attention=MultiHeadAttention(",
        "does not read the tokens, which are its memory; use a CrossAttention(num_heads=...).",
    ),
    told(
        "MultiHeadPool dropout",
        lambda: MultiHeadPool(
            attention=CrossAttention(num_heads=2), mlp=MLP(hidden=4, dropout_rate=0.1)
        ),
        ValueError,
        "MultiHeadPool: dropout_rate=0.1 of MLP: a pooler has no dropout",
        "leave it out here, and give it to the head.",
    ),
    told(
        "LMHead no table",
        lambda: shapes(LMHead(tied=True), X),
        ValueError,
        "LMHead: tied=True needs the embedding's table",
    ),
    told(
        "MarkedToken no tokens",
        lambda: shapes(MarkedToken(token_id=1), X),
        ValueError,
        "MarkedToken looks for its token among the ids, and the context has no tokens",
    ),
    told(
        "TwoTowers no vectors",
        lambda: shapes(TwoTowers(first=MLP(hidden=4), second=MLP(hidden=4)), X, X),
        ValueError,
        "TwoTowers: the towers give (2, 3, 8) and (2, 3, 8)",
        "give both a head=PooledHead(features=...)",
    ),
)
