"""Reusable, typed Flax Linen blocks for transformers."""

from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.caches.int8 import Int8Cache
from blocks.attention.caches.rows import select_rows
from blocks.attention.cross import CrossAttention, MemoryCache
from blocks.attention.head import AttentionHead
from blocks.attention.kernels import (
    Auto,
    Choice,
    ChunkedAttention,
    CudnnAttention,
    Kernel,
    KernelCall,
    Support,
    dot_product_attention,
)
from blocks.attention.masks import Causal, Mask, Padding, Segments, SlidingWindow
from blocks.attention.multi_head import Biases, MultiHeadAttention
from blocks.attention.sinks import LearnedSinks, SoftmaxOne
from blocks.attention.slots import QKTransform, Scale, ScoreChange, SoftCap
from blocks.base import Block, fresh
from blocks.block import TransformerBlock
from blocks.checks import checked
from blocks.context import Context, Coordinates
from blocks.embeddings import TokenEmbedding
from blocks.heads import LMHead
from blocks.initializers import Normal, VarianceScaling
from blocks.linear import Linear
from blocks.mlp import MLP, GatedMLP, gelu
from blocks.models import CausalLM, Encoder, EncoderDecoder
from blocks.norms import LayerNorm, RMSNorm
from blocks.positions.learned import LearnedPositions
from blocks.positions.rotary import RoPE
from blocks.positions.sinusoidal import SinusoidalPositions
from blocks.residual import PostNorm, PreNorm, Residual
from blocks.stack import Stack, stack_layers, unstack_layers
from blocks.surgery import find, override, replace

__all__ = [
    "MLP",
    "AttentionHead",
    "Auto",
    "Biases",
    "Block",
    "Causal",
    "CausalLM",
    "Choice",
    "ChunkedAttention",
    "Context",
    "Coordinates",
    "CrossAttention",
    "CudnnAttention",
    "Encoder",
    "EncoderDecoder",
    "GatedMLP",
    "Int8Cache",
    "Kernel",
    "KernelCall",
    "KeyValueCache",
    "LMHead",
    "LayerNorm",
    "LearnedPositions",
    "LearnedSinks",
    "Linear",
    "Mask",
    "MemoryCache",
    "MultiHeadAttention",
    "Normal",
    "Padding",
    "PostNorm",
    "PreNorm",
    "QKTransform",
    "RMSNorm",
    "Residual",
    "RoPE",
    "Scale",
    "ScoreChange",
    "Segments",
    "SinusoidalPositions",
    "SlidingWindow",
    "SoftCap",
    "SoftmaxOne",
    "Stack",
    "Support",
    "TokenEmbedding",
    "TransformerBlock",
    "VarianceScaling",
    "checked",
    "dot_product_attention",
    "find",
    "fresh",
    "gelu",
    "override",
    "replace",
    "select_rows",
    "stack_layers",
    "unstack_layers",
]
