"""Attention: kernels, masks, score modifications, caches, and the blocks made from them."""

from blocks.attention.block_sparse import BlockSparse
from blocks.attention.cross import CrossAttention
from blocks.attention.differential import DifferentialAttention
from blocks.attention.gates import HeadTransform, OutputGate
from blocks.attention.head import AttentionHead
from blocks.attention.inputs import AttentionInputs
from blocks.attention.latent import LatentAttention
from blocks.attention.multi_head import Biases, MultiHeadAttention
from blocks.attention.qk import ClipQK, FullWidthQKNorm, QKNorm, QKTransform
from blocks.attention.scores import Modification, ScoreModification, SoftCap, distance
from blocks.attention.sinks import LearnedSinks, Sinks, SoftmaxOne
from blocks.attention.talking_heads import TalkingHeadsAttention
from blocks.attention.transient_global import TransientGlobalAttention
from blocks.attention.values import ClipValue, ValueEmbedding, ValueResidual, ValueTransform

__all__ = [
    "AttentionHead",
    "AttentionInputs",
    "Biases",
    "BlockSparse",
    "ClipQK",
    "ClipValue",
    "CrossAttention",
    "DifferentialAttention",
    "FullWidthQKNorm",
    "HeadTransform",
    "LatentAttention",
    "LearnedSinks",
    "Modification",
    "MultiHeadAttention",
    "OutputGate",
    "QKNorm",
    "QKTransform",
    "ScoreModification",
    "Sinks",
    "SoftCap",
    "SoftmaxOne",
    "TalkingHeadsAttention",
    "TransientGlobalAttention",
    "ValueEmbedding",
    "ValueResidual",
    "ValueTransform",
    "distance",
]
