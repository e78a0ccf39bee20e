"""Attention kernels: implementations of attention behind one signature and without parameters."""

from blocks.attention.kernels.auto import Auto, Choice
from blocks.attention.kernels.banded import BandedAttention
from blocks.attention.kernels.chunked import ChunkedAttention
from blocks.attention.kernels.cudnn import CudnnAttention
from blocks.attention.kernels.reference import dot_product_attention, masked_softmax
from blocks.attention.kernels.signature import Kernel, check_signature
from blocks.attention.kernels.support import KernelCall, Support, require, support_of
from blocks.core.drop import dropout

__all__ = [
    "Auto",
    "BandedAttention",
    "Choice",
    "ChunkedAttention",
    "CudnnAttention",
    "Kernel",
    "KernelCall",
    "Support",
    "check_signature",
    "dot_product_attention",
    "dropout",
    "masked_softmax",
    "require",
    "support_of",
]
