"""Mixtral: Mistral with eight experts in each layer, of which each token takes two.

References:
    Jiang et al., Mixtral of Experts, 2024, arXiv:2401.04088.
"""

import dataclasses

from blocks import CausalLM, MixtureOfExperts, SoftmaxRouter, TransformerBlock, override
from recipes.architectures import mistral
from recipes.architectures.experts import gated, number_of_experts
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Each, Names, Tensor


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    router = SoftmaxRouter(
        num_experts=number_of_experts(config), top_k=config["num_experts_per_tok"]
    )
    mixture = MixtureOfExperts(router=router, expert=gated(config, config["intermediate_size"]))
    return override(mistral.build(config), TransformerBlock, mlp=mixture)


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}/mlp", "model.layers.{i}.block_sparse_moe"
    experts = f"{theirs}.experts.{{e}}"
    return {
        **mistral.FAMILY.names(config),
        f"{ours}/router/logits": f"{theirs}.gate",
        f"{ours}/experts/gate": Each(Tensor(f"{experts}.w1")),
        f"{ours}/experts/up": Each(Tensor(f"{experts}.w3")),
        f"{ours}/experts/down": Each(Tensor(f"{experts}.w2")),
    }


FAMILY = dataclasses.replace(
    mistral.FAMILY, build=build, names=names, defaults={"rms_norm_eps": 1e-5}
)
register("mixtral", FAMILY)
