"""Reusable, typed Flax Linen blocks for transformers."""

__version__ = "0.1.0"

from blocks.adapters.lora import LoRA
from blocks.adapters.merge import label_lora, merge_lora
from blocks.adapters.plain import Plain
from blocks.attention.caches.cache import Cache
from blocks.attention.caches.contiguous import KeyValueCache
from blocks.attention.caches.int8 import Int8Cache
from blocks.attention.caches.ring import Int8RingCache, RingCache
from blocks.attention.caches.rows import select_rows
from blocks.attention.caches.state import CacheState, KeyValueState
from blocks.attention.cross import CrossAttention
from blocks.attention.differential import DifferentialAttention
from blocks.attention.gates import HeadTransform, OutputGate
from blocks.attention.head import AttentionHead
from blocks.attention.inputs import AttentionInputs
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
from blocks.attention.latent import LatentAttention
from blocks.attention.masks import (
    Bidirectional,
    Causal,
    ChunkedLocal,
    Dilated,
    Mask,
    Padding,
    Prefix,
    Segments,
    SlidingWindow,
)
from blocks.attention.multi_head import Biases, MultiHeadAttention
from blocks.attention.qk import ClipQK, FullWidthQKNorm, QKNorm, QKTransform
from blocks.attention.scores import ScoreModification, SoftCap
from blocks.attention.sinks import LearnedSinks, Sinks, SoftmaxOne
from blocks.attention.talking_heads import TalkingHeadsAttention
from blocks.attention.values import ClipValue, ValueEmbedding, ValueResidual, ValueTransform
from blocks.carry import Carry, join_carry, split_carry
from blocks.context import Context, Coordinates
from blocks.core.block import Block, fresh
from blocks.core.checks import checked
from blocks.core.initializers import Normal, VarianceScaling
from blocks.core.surgery import find, override, replace
from blocks.embeddings.added import BigramHash, TokenTypes
from blocks.embeddings.convolution import ConvolutionStem
from blocks.embeddings.factorized import FactorizedEmbedding
from blocks.embeddings.patches import PatchEmbedding
from blocks.embeddings.tokens import TokenEmbedding
from blocks.heads.classifier import ClassifierHead, ValueHead
from blocks.heads.language import LMHead
from blocks.heads.masked import MaskedLMHead
from blocks.heads.pooling import AttentionPool, FirstToken, LastToken, MeanPool, Pooler
from blocks.introspection.collected import attention_weights, hidden_states
from blocks.introspection.summary import Cost, Summary, summary
from blocks.layers.skip_stack import SkipStack
from blocks.layers.stack import Stack, stack_layers, unstack_layers
from blocks.layers.transformer_block import TransformerBlock
from blocks.linear import Linear
from blocks.mlp.activations import gelu, quick_gelu, squared_relu
from blocks.mlp.clamped import ClampedGatedMLP
from blocks.mlp.gated import GatedMLP
from blocks.mlp.mlp import MLP
from blocks.models.causal_lm import CausalLM
from blocks.models.encoder import Encoder
from blocks.models.encoder_decoder import EncoderDecoder
from blocks.models.multi_token import MultiTokenLM
from blocks.moe.mixture import MixtureOfExperts, auxiliary_losses
from blocks.moe.router import Router, Routing
from blocks.moe.sigmoid_router import SigmoidRouter, balanced_bias
from blocks.moe.softmax_router import SoftmaxRouter
from blocks.norms.dynamic_tanh import DynamicTanh
from blocks.norms.layer_norm import LayerNorm
from blocks.norms.rms_norm import RMSNorm
from blocks.norms.scale_norm import ScaleNorm
from blocks.positions.alibi import ALiBi
from blocks.positions.grid import GridPositions, SinusoidalGrid
from blocks.positions.learned import LearnedPositions
from blocks.positions.relative_bias import RelativeBias, SharedRelativeBias
from blocks.positions.rotary import RoPE
from blocks.positions.scalings import (
    DynamicNTKScaling,
    LinearScaling,
    Llama3Scaling,
    LongRoPE,
    NTKScaling,
    RoPEScaling,
    YaRN,
)
from blocks.positions.sinusoidal import SinusoidalPositions
from blocks.recurrent.convolution import ShortConvolution
from blocks.recurrent.distillation import HedgehogDistillation, hedgehog_loss
from blocks.recurrent.features import EluFeatures, FeatureMap, Hedgehog, TaylorFeatures
from blocks.recurrent.gated_delta import GatedDeltaNet
from blocks.recurrent.linear_attention import LinearAttention
from blocks.residual.adaptive import AdaptiveNormZero
from blocks.residual.first_mix import FirstMix
from blocks.residual.hyper_connections import HyperConnections
from blocks.residual.layout import Residual
from blocks.residual.parallel import Parallel, ParallelNorms
from blocks.residual.placement import OutputNorm, PostNorm, PreNorm, SandwichNorm
from blocks.residual.resi_dual import ResiDual
from blocks.residual.scaled import DeepNorm, LayerScale, ReZero, deep_norm_params
from blocks.residual.stochastic_depth import StochasticDepth
from blocks.residual.streams import Streams

__all__ = [
    "MLP",
    "ALiBi",
    "AdaptiveNormZero",
    "AttentionHead",
    "AttentionInputs",
    "AttentionPool",
    "Auto",
    "Biases",
    "Bidirectional",
    "BigramHash",
    "Block",
    "Cache",
    "CacheState",
    "Carry",
    "Causal",
    "CausalLM",
    "Choice",
    "ChunkedAttention",
    "ChunkedLocal",
    "ClampedGatedMLP",
    "ClassifierHead",
    "ClipQK",
    "ClipValue",
    "Context",
    "ConvolutionStem",
    "Coordinates",
    "Cost",
    "CrossAttention",
    "CudnnAttention",
    "DeepNorm",
    "DifferentialAttention",
    "Dilated",
    "DynamicNTKScaling",
    "DynamicTanh",
    "EluFeatures",
    "Encoder",
    "EncoderDecoder",
    "FactorizedEmbedding",
    "FeatureMap",
    "FirstMix",
    "FirstToken",
    "FullWidthQKNorm",
    "GatedDeltaNet",
    "GatedMLP",
    "GridPositions",
    "HeadTransform",
    "Hedgehog",
    "HedgehogDistillation",
    "HyperConnections",
    "Int8Cache",
    "Int8RingCache",
    "Kernel",
    "KernelCall",
    "KeyValueCache",
    "KeyValueState",
    "LMHead",
    "LastToken",
    "LatentAttention",
    "LayerNorm",
    "LayerScale",
    "LearnedPositions",
    "LearnedSinks",
    "Linear",
    "LinearAttention",
    "LinearScaling",
    "Llama3Scaling",
    "LoRA",
    "LongRoPE",
    "Mask",
    "MaskedLMHead",
    "MeanPool",
    "MixtureOfExperts",
    "MultiHeadAttention",
    "MultiTokenLM",
    "NTKScaling",
    "Normal",
    "OutputGate",
    "OutputNorm",
    "Padding",
    "Parallel",
    "ParallelNorms",
    "PatchEmbedding",
    "Plain",
    "Pooler",
    "PostNorm",
    "PreNorm",
    "Prefix",
    "QKNorm",
    "QKTransform",
    "RMSNorm",
    "ReZero",
    "RelativeBias",
    "ResiDual",
    "Residual",
    "RingCache",
    "RoPE",
    "RoPEScaling",
    "Router",
    "Routing",
    "SandwichNorm",
    "ScaleNorm",
    "ScoreModification",
    "Segments",
    "SharedRelativeBias",
    "ShortConvolution",
    "SigmoidRouter",
    "Sinks",
    "SinusoidalGrid",
    "SinusoidalPositions",
    "SkipStack",
    "SlidingWindow",
    "SoftCap",
    "SoftmaxOne",
    "SoftmaxRouter",
    "Stack",
    "StochasticDepth",
    "Streams",
    "Summary",
    "Support",
    "TalkingHeadsAttention",
    "TaylorFeatures",
    "TokenEmbedding",
    "TokenTypes",
    "TransformerBlock",
    "ValueEmbedding",
    "ValueHead",
    "ValueResidual",
    "ValueTransform",
    "VarianceScaling",
    "YaRN",
    "attention_weights",
    "auxiliary_losses",
    "balanced_bias",
    "checked",
    "deep_norm_params",
    "dot_product_attention",
    "find",
    "fresh",
    "gelu",
    "hedgehog_loss",
    "hidden_states",
    "join_carry",
    "label_lora",
    "merge_lora",
    "override",
    "quick_gelu",
    "replace",
    "select_rows",
    "split_carry",
    "squared_relu",
    "stack_layers",
    "summary",
    "unstack_layers",
]
