"""Qwen3: Qwen2 without biases, with a norm of each head's queries and keys before the rotation.

References:
    Yang et al., Qwen3 Technical Report, 2025, arXiv:2505.09388.
"""

import dataclasses

from blocks import CausalLM, MultiHeadAttention, QKNorm, RMSNorm, override
from recipes.architectures import llama
from recipes.architectures.common import windowed
from recipes.architectures.qwen2 import kinds
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    model = windowed(config, kinds(config), llama.build(config))
    norm = RMSNorm(epsilon=config.get("rms_norm_eps", 1e-6))
    return override(
        model,
        MultiHeadAttention,
        qk=(QKNorm(norm=norm),),
        head_dim=config.get("head_dim", 128),
        use_bias=config.get("attention_bias", False),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}/attention/qk_norm", "model.layers.{i}.self_attn"
    return {
        **llama.names(config),
        f"{ours}/query": f"{theirs}.q_norm",
        f"{ours}/key": f"{theirs}.k_norm",
    }


FAMILY = dataclasses.replace(
    llama.FAMILY, build=build, names=names, defaults={"sliding_window": 4096}
)
register("qwen3", FAMILY)
