"""Heads: from a model's last vectors to logits, classes or values."""

from blocks.heads.classifier import ClassifierHead, ValueHead
from blocks.heads.language import LMHead
from blocks.heads.masked import MaskedLMHead
from blocks.heads.pooling import AttentionPool, FirstToken, LastToken, MeanPool, Pooler

__all__ = [
    "AttentionPool",
    "ClassifierHead",
    "FirstToken",
    "LMHead",
    "LastToken",
    "MaskedLMHead",
    "MeanPool",
    "Pooler",
    "ValueHead",
]
