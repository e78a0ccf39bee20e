"""Recurrent mixers: linear attention with a state of fixed size, in time linear in length."""

from blocks.recurrent.convolution import ShortConvolution
from blocks.recurrent.distillation import HedgehogDistillation, hedgehog_loss
from blocks.recurrent.features import EluFeatures, FeatureMap, Hedgehog, TaylorFeatures
from blocks.recurrent.gated_delta import GatedDeltaNet
from blocks.recurrent.kimi_delta import KimiDeltaAttention
from blocks.recurrent.linear_attention import LinearAttention

__all__ = [
    "EluFeatures",
    "FeatureMap",
    "GatedDeltaNet",
    "Hedgehog",
    "HedgehogDistillation",
    "KimiDeltaAttention",
    "LinearAttention",
    "ShortConvolution",
    "TaylorFeatures",
    "hedgehog_loss",
]
