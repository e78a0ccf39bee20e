"""gpt-oss: sinks, windows in every other layer, YaRN, clamped experts with biases.

References:
    OpenAI, gpt-oss-120b & gpt-oss-20b Model Card, 2025, arXiv:2508.10925.
"""

import dataclasses

from blocks import (
    CausalLM,
    ClampedGatedMLP,
    LearnedSinks,
    MixtureOfExperts,
    MultiHeadAttention,
    SoftmaxRouter,
    TransformerBlock,
    override,
)
from recipes.architectures import llama
from recipes.architectures.common import windowed
from recipes.architectures.experts import number_of_experts
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names, Part, Tensor


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.only("hidden_act", "silu")
    config.only("swiglu_alpha", 1.702)
    config.ignore("experts_per_token", "initial_context_length")
    mixture = MixtureOfExperts(
        router=SoftmaxRouter(
            num_experts=number_of_experts(config),
            top_k=config["num_experts_per_tok"],
            use_bias=True,
        ),
        expert=ClampedGatedMLP(
            hidden=config["intermediate_size"], limit=config.get("swiglu_limit", 7.0)
        ),
    )
    model = override(llama.build(config), TransformerBlock, mlp=mixture)
    bias = config.get("attention_bias", True)
    model = override(model, MultiHeadAttention, sinks=LearnedSinks(), use_bias=bias)
    depth = config["num_hidden_layers"]
    usual = ["full_attention" if i % 2 else "sliding_attention" for i in range(depth)]
    return windowed(config, config.get("layer_types", usual), model)


def names(config: Config) -> Names:
    """Name the weights as the reference does: gate and up alternate in one array."""
    ours, theirs = "stack/layer_{i}", "model.layers.{i}"
    experts, hidden = f"{theirs}.mlp.experts", config["intermediate_size"]
    fused = {
        f"{ours}/mlp/experts/{name}/{leaf}": Part(
            f"{experts}.gate_up_proj{suffix}",
            axes,
            index=index,
            sizes=(1, 1),
            groups=hidden,
            lead=1,
        )
        for index, name in enumerate(("gate", "up"))
        for leaf, suffix, axes in (("kernel", "", (0, 1, 2)), ("bias", "_bias", None))
    }
    return {
        **llama.names(config),
        f"{ours}/attention/sinks/sinks": f"{theirs}.self_attn.sinks",
        f"{ours}/mlp/router/logits": f"{theirs}.mlp.router",
        **fused,
        f"{ours}/mlp/experts/down/kernel": Tensor(f"{experts}.down_proj", (0, 1, 2)),
        f"{ours}/mlp/experts/down/bias": Tensor(f"{experts}.down_proj_bias", (0, 1)),
    }


FAMILY = dataclasses.replace(
    llama.FAMILY, build=build, names=names, defaults={"rms_norm_eps": 1e-5, "sliding_window": 128}
)
register("gpt_oss", FAMILY)
