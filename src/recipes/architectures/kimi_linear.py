"""Kimi Linear: a delta rule that decays each feature, latent attention without rotation, experts.

References:
    Kimi Team, Kimi Linear, 2025, arXiv:2510.26692.
"""

import dataclasses

from blocks import (
    CausalLM,
    MixtureOfExperts,
    RMSNorm,
    SigmoidRouter,
    TransformerBlock,
    override,
)
from blocks.recurrent import KimiDeltaAttention, ShortConvolution
from recipes.architectures import llama
from recipes.architectures.common import layers
from recipes.architectures.deepseek_v2 import latent_attention, latent_names
from recipes.architectures.experts import gated, number_of_experts
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Each, Names, Tensor


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.only("tie_word_embeddings", False)  # The reference never ties them.
    config.only("hidden_act", "silu", "swish")  # Convolutions have it too.
    config.ignore("model_max_length", "num_key_value_heads", "head_dim")
    model = llama.build(config)
    hidden, block = config["moe_intermediate_size"], model.stack.block
    delta = KimiDeltaAttention(
        num_heads=config["linear_num_heads"],
        head_dim=config["linear_head_dim"],
        convolution=ShortConvolution(width=config.get("linear_conv_kernel_dim", 4)),
        norm=RMSNorm(epsilon=config["rms_norm_eps"]),
    )
    latent = latent_attention(config, position=None)
    mixture = MixtureOfExperts(
        router=SigmoidRouter(
            num_experts=number_of_experts(config),
            top_k=config["num_experts_per_token"],
            num_groups=config.get("num_expert_group", 1),
            top_groups=config.get("topk_group", 1),
            renormalize=config.get("moe_renormalize", True),
            scale=config.get("routed_scaling_factor", 1.0),
        ),
        expert=gated(config, hidden),
        shared=gated(config, hidden * config.get("num_shared_experts", 1)),
    )

    def make(kind: tuple[str, str]) -> TransformerBlock:
        attention = delta if kind[0] == "linear_attention" else latent
        mlp = mixture if kind[1] == "sparse" else block.mlp
        return override(block, TransformerBlock, attention=attention, mlp=mlp)

    kinds = list(zip(config["layer_types"], config["mlp_layer_types"], strict=True))
    return override(model, CausalLM, stack=layers(kinds, make))


def delta_names(config: Config, ours: str, theirs: str) -> Names:
    """Name the weights of the delta rule."""
    heads, head_dim = config["linear_num_heads"], config["linear_head_dim"]
    shape = (heads * head_dim, 1, config.get("linear_conv_kernel_dim", 4))
    maps = {
        "query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "o_proj", "norm": "o_norm",
        "beta": "b_proj", "decay_down": "f_a_proj", "decay_up": "f_b_proj",
        "gate_down": "g_a_proj", "gate_up": "g_b_proj",
    }  # fmt: skip
    convolved = {
        f"{ours}/{name}_convolution/kernel": Tensor(
            f"{theirs}.{name[0]}_conv1d.weight", (2, 1, 0), shape
        )
        for name in ("query", "key", "value")
    }
    return {
        **{f"{ours}/{name}": f"{theirs}.{map_}" for name, map_ in maps.items()},
        **convolved,
        f"{ours}/log_rate": Tensor(f"{theirs}.A_log", shape=(1, 1, heads, 1)),
        f"{ours}/step": Tensor(f"{theirs}.dt_bias", shape=(heads * head_dim,)),
    }


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    named = {}
    for index, kind in enumerate(config["layer_types"]):
        chosen = delta_names if kind == "linear_attention" else latent_names
        place = f"stack/layer_{index}/attention", f"model.layers.{index}.self_attn"
        named |= chosen(config, *place)
    ours, theirs = "stack/layer_{i}/mlp", "model.layers.{i}.block_sparse_moe"
    for name, expert in {"gate": "w1", "up": "w3", "down": "w2"}.items():
        named[f"{ours}/{name}"] = f"{theirs}.{name}_proj"
        named[f"{ours}/shared/{name}"] = f"{theirs}.shared_experts.{name}_proj"
        named[f"{ours}/experts/{name}"] = Each(Tensor(f"{theirs}.experts.{{e}}.{expert}"))
    named[f"{ours}/router/logits"] = f"{theirs}.gate"
    named[f"{ours}/router/bias"] = Tensor(f"{theirs}.gate.e_score_correction_bias")
    return {**llama.names(config), **named}


FAMILY = dataclasses.replace(
    llama.FAMILY, build=build, names=names, defaults={"routed_scaling_factor": 2.446}
)
register("kimi_linear", FAMILY)
