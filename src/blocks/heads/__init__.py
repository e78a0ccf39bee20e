"""Heads: from a model's last vectors to logits, classes or values."""

from blocks.heads.classifier import ClassifierHead, ValueHead
from blocks.heads.language import LMHead
from blocks.heads.masked import MaskedLMHead
from blocks.heads.multi_head_pool import MultiHeadPool
from blocks.heads.pooled import PooledHead
from blocks.heads.pooling import (
    AttentionPool,
    DensePool,
    FirstToken,
    LastToken,
    MarkedToken,
    MeanPool,
    Pooler,
)
from blocks.heads.projected import ProjectedHead

__all__ = [
    "AttentionPool",
    "ClassifierHead",
    "DensePool",
    "FirstToken",
    "LMHead",
    "LastToken",
    "MarkedToken",
    "MaskedLMHead",
    "MeanPool",
    "MultiHeadPool",
    "PooledHead",
    "Pooler",
    "ProjectedHead",
    "ValueHead",
]
