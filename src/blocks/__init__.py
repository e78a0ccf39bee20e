"""Reusable, typed Flax Linen blocks for transformers."""

__version__ = "0.1.0"

from blocks.adapters.lora import LoRA
from blocks.adapters.plain import Plain
from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.caches.int8 import Int8Cache
from blocks.attention.caches.ring import RingCache
from blocks.attention.cross import CrossAttention
from blocks.attention.differential import DifferentialAttention
from blocks.attention.gates import OutputGate
from blocks.attention.head import AttentionHead
from blocks.attention.kernels import Auto, ChunkedAttention, CudnnAttention, dot_product_attention
from blocks.attention.latent import LatentAttention
from blocks.attention.masks import Bidirectional, Causal, ChunkedLocal, Prefix, SlidingWindow
from blocks.attention.multi_head import Biases, MultiHeadAttention
from blocks.attention.qk import FullWidthQKNorm, QKNorm
from blocks.attention.scores import SoftCap
from blocks.attention.sinks import LearnedSinks
from blocks.attention.values import ValueEmbedding, ValueResidual
from blocks.context import Context
from blocks.core.block import Block
from blocks.core.checks import checked
from blocks.core.initializers import Normal
from blocks.core.parameters import check_parameters
from blocks.core.surgery import find, override, replace
from blocks.embeddings.added import TokenTypes
from blocks.embeddings.convolution import ConvolutionStem
from blocks.embeddings.factorized import FactorizedEmbedding
from blocks.embeddings.patches import PatchEmbedding
from blocks.embeddings.tokens import TokenEmbedding
from blocks.heads.classifier import ClassifierHead
from blocks.heads.language import LMHead
from blocks.heads.masked import MaskedLMHead
from blocks.heads.pooling import MeanPool
from blocks.introspection.collected import attention_weights, hidden_states
from blocks.introspection.difference import diff
from blocks.introspection.summary import summary
from blocks.layers.skip_stack import SkipStack
from blocks.layers.stack import Stack
from blocks.layers.transformer_block import TransformerBlock
from blocks.linear import Linear
from blocks.mlp.activations import gelu
from blocks.mlp.clamped import ClampedGatedMLP
from blocks.mlp.gated import GatedMLP
from blocks.mlp.mlp import MLP
from blocks.models.causal_lm import CausalLM
from blocks.models.encoder import Encoder
from blocks.models.encoder_decoder import EncoderDecoder
from blocks.models.multi_token import MultiTokenLM
from blocks.moe.mixture import MixtureOfExperts
from blocks.moe.sigmoid_router import SigmoidRouter
from blocks.moe.softmax_router import SoftmaxRouter
from blocks.norms.layer_norm import LayerNorm
from blocks.norms.rms_norm import RMSNorm
from blocks.positions.alibi import ALiBi
from blocks.positions.grid import GridPositions
from blocks.positions.learned import LearnedPositions
from blocks.positions.relative_bias import RelativeBias, SharedRelativeBias
from blocks.positions.rotary import RoPE
from blocks.positions.scalings import Llama3Scaling, YaRN
from blocks.positions.sinusoidal import SinusoidalPositions
from blocks.recurrent.gated_delta import GatedDeltaNet
from blocks.recurrent.linear_attention import LinearAttention
from blocks.residual.parallel import Parallel, ParallelNorms
from blocks.residual.placement import OutputNorm, PostNorm, PreNorm, SandwichNorm
from blocks.residual.scaled import LayerScale

__all__ = [
    "MLP",
    "ALiBi",
    "AttentionHead",
    "Auto",
    "Biases",
    "Bidirectional",
    "Block",
    "Causal",
    "CausalLM",
    "ChunkedAttention",
    "ChunkedLocal",
    "ClampedGatedMLP",
    "ClassifierHead",
    "Context",
    "ConvolutionStem",
    "CrossAttention",
    "CudnnAttention",
    "DifferentialAttention",
    "Encoder",
    "EncoderDecoder",
    "FactorizedEmbedding",
    "FullWidthQKNorm",
    "GatedDeltaNet",
    "GatedMLP",
    "GridPositions",
    "Int8Cache",
    "KeyValueCache",
    "LMHead",
    "LatentAttention",
    "LayerNorm",
    "LayerScale",
    "LearnedPositions",
    "LearnedSinks",
    "Linear",
    "LinearAttention",
    "Llama3Scaling",
    "LoRA",
    "MaskedLMHead",
    "MeanPool",
    "MixtureOfExperts",
    "MultiHeadAttention",
    "MultiTokenLM",
    "Normal",
    "OutputGate",
    "OutputNorm",
    "Parallel",
    "ParallelNorms",
    "PatchEmbedding",
    "Plain",
    "PostNorm",
    "PreNorm",
    "Prefix",
    "QKNorm",
    "RMSNorm",
    "RelativeBias",
    "RingCache",
    "RoPE",
    "SandwichNorm",
    "SharedRelativeBias",
    "SigmoidRouter",
    "SinusoidalPositions",
    "SkipStack",
    "SlidingWindow",
    "SoftCap",
    "SoftmaxRouter",
    "Stack",
    "TokenEmbedding",
    "TokenTypes",
    "TransformerBlock",
    "ValueEmbedding",
    "ValueResidual",
    "YaRN",
    "attention_weights",
    "check_parameters",
    "checked",
    "diff",
    "dot_product_attention",
    "find",
    "gelu",
    "hidden_states",
    "override",
    "replace",
    "summary",
]
