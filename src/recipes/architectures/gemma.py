"""Gemma: Llama with embeddings scaled by the root of the width, and norms stored less one.

References:
    Gemma Team, Gemma, 2024, arXiv:2403.08295.
"""

import dataclasses
import math

from blocks import CausalLM, GatedMLP, MultiHeadAttention, RMSNorm, TokenEmbedding, override
from recipes.architectures import llama
from recipes.architectures.common import activation, head
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.only("use_bidirectional_attention", False)
    used = config.get("hidden_activation", config.get("hidden_act", "gelu_pytorch_tanh"))
    scale = math.sqrt(config["hidden_size"])
    model = override(llama.build(config), RMSNorm, unit_offset=True)
    model = override(model, TokenEmbedding, embedding_scale=scale)
    model = override(model, GatedMLP, activation=activation(used))
    model = override(model, MultiHeadAttention, head_dim=config.get("head_dim", 256))
    return override(model, CausalLM, head=head(config, tied=True))


FAMILY = dataclasses.replace(llama.FAMILY, build=build)
register("gemma", FAMILY)
