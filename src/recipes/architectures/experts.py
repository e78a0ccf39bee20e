"""Mixtures of experts, as several families have them."""

from collections.abc import Callable

from blocks import CausalLM, GatedMLP, MixtureOfExperts, SoftmaxRouter, TransformerBlock, override
from blocks.moe import TokenGate
from recipes.architectures.common import activation, layers
from recipes.weights.config import Config
from recipes.weights.rules import Each, Names, Tensor


def gated(config: Config, hidden: int, *, use_bias: bool = False) -> GatedMLP:
    """Build a gated MLP of a width."""
    used = activation(config.get("hidden_act", "silu"))
    return GatedMLP(hidden=hidden, activation=used, use_bias=use_bias)


def number_of_experts(config: Config) -> int:
    """Number of experts, under any of the names that it has had."""
    names = ("num_experts", "num_local_experts", "n_routed_experts")
    return config[next((name for name in names if name in config), names[0])]


def softmax_mixture(config: Config) -> MixtureOfExperts:
    """Build Qwen's mixture: a softmax over all experts, and a gated shared expert if it has one."""
    shared = config.get("shared_expert_intermediate_size")
    return MixtureOfExperts(
        router=SoftmaxRouter(
            num_experts=number_of_experts(config),
            top_k=config["num_experts_per_tok"],
            renormalize=config.get("norm_topk_prob", False),
        ),
        expert=gated(config, config["moe_intermediate_size"]),
        shared=None if shared is None else TokenGate(mlp=gated(config, shared)),
    )


def with_mixtures(
    model: CausalLM, sparse: list[bool], mixture: Callable[[], MixtureOfExperts]
) -> CausalLM:
    """Give layers a mixture in the place of their MLP.

    Args:
        model: A model of dense layers.
        sparse: Which of them get one.
        mixture: Builds it.
    """
    block = model.stack.block
    pattern = block if isinstance(block, tuple) else (block,)
    kinds = [(index % len(pattern), chosen) for index, chosen in enumerate(sparse)]

    def make(kind: tuple[int, bool]) -> TransformerBlock:
        layer = pattern[kind[0]]
        return override(layer, TransformerBlock, mlp=mixture()) if kind[1] else layer

    return override(model, CausalLM, stack=layers(kinds, make))


def sparse_layers(config: Config) -> list[bool]:
    """Which layers are sparse by `decoder_sparse_step` and `mlp_only_layers`, as Qwen has them."""
    dense, step = config.get("mlp_only_layers", ()), config.get("decoder_sparse_step", 1)
    depth = config["num_hidden_layers"]
    return [index not in dense and (index + 1) % step == 0 for index in range(depth)]


def expert_names(ours: str, theirs: str, *, shared: str = "shared_experts") -> Names:
    """Name the weights of a mixture whose experts are kept one by one.

    Args:
        ours: Path of the mixture.
        theirs: Module of the mixture.
        shared: What the shared expert is called.
    """
    maps = {"gate": "gate_proj", "up": "up_proj", "down": "down_proj"}
    names: dict = {f"{ours}/router/logits": f"{theirs}.gate"}
    for name, map_ in maps.items():
        names[f"{ours}/experts/{name}"] = Each(Tensor(f"{theirs}.experts.{{e}}.{map_}"))
        names[f"{ours}/shared/{name}"] = f"{theirs}.{shared}.{map_}"
        names[f"{ours}/shared/mlp/{name}"] = f"{theirs}.{shared}.{map_}"
    gate = {f"{ours}/shared/gate/kernel": f"{theirs}.{shared}_gate.weight"}
    return {**(gate if shared == "shared_expert" else {}), **names}
