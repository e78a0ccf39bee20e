"""Embeddings: from token ids, images and sound to vectors."""

from blocks.embeddings.added import BigramHash, TokenTypes
from blocks.embeddings.convolution import ConvolutionStem
from blocks.embeddings.factorized import FactorizedEmbedding
from blocks.embeddings.patches import PatchEmbedding
from blocks.embeddings.sound import Convolution, SoundEmbedding
from blocks.embeddings.tokens import TokenEmbedding
from blocks.embeddings.vectors import VectorEmbedding

__all__ = [
    "BigramHash",
    "Convolution",
    "ConvolutionStem",
    "FactorizedEmbedding",
    "PatchEmbedding",
    "SoundEmbedding",
    "TokenEmbedding",
    "TokenTypes",
    "VectorEmbedding",
]
