"""Arcee: Llama with a plain MLP of squared ReLU.

References:
    Arcee AI, AFM-4.5B, 2025, huggingface.co/arcee-ai/AFM-4.5B.
    So et al., Primer, 2021, arXiv:2109.08668 (squared ReLU).
"""

import dataclasses

from blocks import MLP, CausalLM, GatedMLP, replace
from recipes.architectures import llama
from recipes.architectures.common import activation
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    used = activation(config.get("hidden_act", "relu2"))

    def plain(old: GatedMLP) -> MLP:
        return MLP(hidden=old.hidden, activation=used, use_bias=old.use_bias)

    return replace(llama.build(config), GatedMLP, plain)


FAMILY = dataclasses.replace(llama.FAMILY, build=build, defaults={"rms_norm_eps": 1e-5})
register("arcee", FAMILY)
