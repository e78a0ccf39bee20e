"""StableLM: LayerNorm, SwiGLU, a rotation of a quarter of each head; the 12B in parallel.

References:
    Bellagente et al., Stable LM 2 1.6B Technical Report, 2024, arXiv:2402.17834.
"""

import dataclasses

from blocks import (
    Biases,
    CausalLM,
    LayerNorm,
    MultiHeadAttention,
    Parallel,
    PreNorm,
    QKNorm,
    RMSNorm,
    TransformerBlock,
    override,
    replace,
)
from recipes.architectures import llama
from recipes.architectures.common import rotary
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Each, Names, Tensor


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    bias, norm = config.get("use_qkv_bias", False), LayerNorm(epsilon=config["layer_norm_eps"])
    heads = LayerNorm(epsilon=config["layer_norm_eps"], use_bias=False)
    parallel = config.get("use_parallel_residual", False)
    model = replace(llama.build(config), RMSNorm, lambda old: norm)
    return override(
        override(
            model,
            MultiHeadAttention,
            position=rotary(config, fraction=0.25),
            qk=(QKNorm(norm=heads, shared=False),) if config.get("qk_layernorm", False) else (),
            use_bias=Biases(bias, bias, bias, out=False),
        ),
        TransformerBlock,
        residual=Parallel() if parallel else PreNorm(),
        dropout_rate=config.get("hidden_dropout", 0.0),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}/attention/qk_norm", "model.layers.{i}.self_attn"
    return {
        **llama.names(config),
        "stack/layer_{i}/input_norm": "model.layers.{i}.input_layernorm",
        f"{ours}/query/scale": Each(Tensor(f"{theirs}.q_layernorm.norms.{{e}}.weight")),
        f"{ours}/key/scale": Each(Tensor(f"{theirs}.k_layernorm.norms.{{e}}.weight")),
    }


FAMILY = dataclasses.replace(llama.FAMILY, build=build, names=names)
register("stablelm", FAMILY)
