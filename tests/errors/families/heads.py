"""Mistakes in heads and poolers."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import X, shapes, told

from blocks import MLP, LMHead, MeanPool
from blocks.heads import MarkedToken
from blocks.models import TwoTowers

CASES = (
    told(
        "MeanPool skip",
        lambda: MeanPool(skip=-1),
        ValueError,
        "MeanPool: skip=-1 must be at least 0.",
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
