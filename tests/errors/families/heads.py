"""Mistakes in heads and poolers."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import X, shapes, told

from blocks import (
    LMHead,
)

CASES = (
    told(
        "LMHead no table",
        lambda: shapes(LMHead(tied=True), X),
        ValueError,
        "LMHead: tied=True needs the embedding's table",
    ),
)
