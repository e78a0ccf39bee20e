"""DeepSeek-V3: DeepSeek-V2 whose experts are chosen by sigmoids with a bias.

References:
    DeepSeek-AI, DeepSeek-V3 Technical Report, 2024, arXiv:2412.19437.
"""

import dataclasses

from blocks import CausalLM, MixtureOfExperts, MultiHeadAttention, SigmoidRouter, override, replace
from recipes.architectures import deepseek_v2, llama
from recipes.architectures.common import rotary
from recipes.architectures.experts import gated, number_of_experts, with_mixtures
from recipes.weights.config import Config
from recipes.weights.families import register


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.ignore("num_nextn_predict_layers")  # Their weights are for training.
    interleaved = config.get("rope_interleave", True)
    position = rotary(config, interleaved=interleaved)
    attention = override(deepseek_v2.latent_attention(config), position=position)
    model = replace(llama.build(config), MultiHeadAttention, lambda old: attention)
    return with_mixtures(model, deepseek_v2.sparse_layers(config), lambda: sigmoid_mixture(config))


def sigmoid_mixture(config: Config) -> MixtureOfExperts:
    """Build the mixture of sigmoids, groups and a bias that only chooses."""
    config.only("scoring_func", "sigmoid")
    config.only("topk_method", "noaux_tc")
    hidden = config["moe_intermediate_size"]
    return MixtureOfExperts(
        router=SigmoidRouter(
            num_experts=number_of_experts(config),
            top_k=config["num_experts_per_tok"],
            num_groups=config.get("n_group", 1),
            top_groups=config.get("topk_group", 1),
            renormalize=config.get("norm_topk_prob", True),
            scale=config.get("routed_scaling_factor", 1.0),
        ),
        expert=gated(config, hidden),
        shared=gated(config, hidden * config.get("n_shared_experts", 1)),
    )


FAMILY = dataclasses.replace(
    deepseek_v2.FAMILY,
    build=build,
    buffers=("*.rotary_emb.inv_freq", "model.layers.61.*"),
    defaults={"q_lora_rank": 1536, "routed_scaling_factor": 2.5, "n_group": 8, "topk_group": 4},
)
register("deepseek_v3", FAMILY)
