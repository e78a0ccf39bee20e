"""Apertus: a plain MLP with a learned activation, and a norm of each head's queries and keys.

References:
    Apertus Team, Apertus, 2025, arXiv:2509.14233.
    Huang, Deriving Activation Functions Using Integration, 2024, arXiv:2411.13010 (xIELU).
"""

import dataclasses

from blocks import MLP, CausalLM, MultiHeadAttention, TransformerBlock, override
from blocks.mlp import XIELU
from recipes.architectures import qwen3
from recipes.architectures.common import rotary
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names, Tensor


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.only("hidden_act", "xielu")
    mlp = MLP(hidden=config["intermediate_size"], activation=XIELU(), use_bias=False)
    fields = {**config.fields, "hidden_act": "silu", "head_dim": _head_dim(config)}
    model = override(qwen3.build(config.changed(fields)), TransformerBlock, mlp=mlp)
    return override(model, MultiHeadAttention, position=rotary(config, theta=1.2e7))


def _head_dim(config: Config) -> int:
    return config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    return {
        **qwen3.names(config),
        f"{ours}/attention_norm": f"{theirs}.attention_layernorm",
        f"{ours}/mlp_norm": f"{theirs}.feedforward_layernorm",
        f"{ours}/mlp/activation/positive": Tensor(f"{theirs}.mlp.act_fn.alpha_p", shape=(1,)),
        f"{ours}/mlp/activation/negative": Tensor(f"{theirs}.mlp.act_fn.alpha_n", shape=(1,)),
    }


BUFFERS = ("*.act_fn.beta", "*.act_fn.eps")
FAMILY = dataclasses.replace(
    qwen3.FAMILY, build=build, names=names, buffers=BUFFERS, defaults={"rms_norm_eps": 1e-5}
)
register("apertus", FAMILY)
