"""Layers of the gated delta rule between layers of gated attention, as Qwen3-Next and Qwen3.5 have.

References:
    Yang et al., Gated Delta Networks, 2024, arXiv:2412.06464.
"""

from blocks import (
    CausalLM,
    GatedDeltaNet,
    MultiHeadAttention,
    OutputGate,
    QKNorm,
    RMSNorm,
    TransformerBlock,
    override,
)
from blocks.recurrent import ShortConvolution
from recipes.architectures import llama
from recipes.architectures.common import layers, rotary
from recipes.weights.config import Config
from recipes.weights.rules import Names, Part, Tensor


def hybrid(config: Config) -> CausalLM:
    """Build the model of both kinds of layers, with dense MLPs."""
    config.only("hidden_act", "silu", "swish")  # Convolutions have it too.
    epsilon, bias = config.get("rms_norm_eps", 1e-6), config.get("attention_bias", False)
    norm = RMSNorm(epsilon=epsilon, unit_offset=True)
    model = override(
        override(llama.build(config), RMSNorm, unit_offset=True),
        MultiHeadAttention,
        qk=(QKNorm(norm=norm),),
        gate=OutputGate(use_bias=bias),
        position=rotary(config, fraction=0.25),
        head_dim=config.get("head_dim", 256),
    )
    block = model.stack.block
    delta = GatedDeltaNet(
        num_heads=config["linear_num_value_heads"],
        num_key_heads=config["linear_num_key_heads"],
        head_dim=config["linear_key_head_dim"],
        value_dim=config["linear_value_head_dim"],
        convolution=ShortConvolution(width=config["linear_conv_kernel_dim"]),
        norm=RMSNorm(epsilon=epsilon),
    )

    def make(kind: str) -> TransformerBlock:
        linear = kind == "linear_attention"
        return override(block, TransformerBlock, attention=delta) if linear else block

    return override(model, CausalLM, stack=layers(kinds(config), make))


def kinds(config: Config) -> list[str]:
    """Kind of each layer: `linear_attention`, or every fourth `full_attention`."""
    every, depth = config.get("full_attention_interval", 4), config["num_hidden_layers"]
    usual = ["linear_attention" if (i + 1) % every else "full_attention" for i in range(depth)]
    return config.get("layer_types", usual)


def attention_names(config: Config, ours: str, theirs: str) -> Names:
    """Name the weights of gated attention: each head has its query and gate together."""
    heads, head_dim = config["num_attention_heads"], config.get("head_dim", 256)
    fused = (f"{ours}/query", f"{ours}/gate/projection")
    return {
        f"{ours}/qk_norm/query": f"{theirs}.q_norm",
        f"{ours}/qk_norm/key": f"{theirs}.k_norm",
        **{
            name: Part(f"{theirs}.q_proj", index=index, sizes=(head_dim, head_dim), groups=heads)
            for index, name in enumerate(fused)
        },
    }


def delta_names(config: Config, ours: str, theirs: str) -> Names:
    """Name the weights of the delta rule that are not its projections."""
    sizes = delta_sizes(config)
    shape = (sum(sizes), 1, config["linear_conv_kernel_dim"])
    return {
        **{
            f"{ours}/{name}_convolution/kernel": Part(
                f"{theirs}.conv1d.weight", (2, 1, 0), shape, index=index, sizes=sizes
            )
            for index, name in enumerate(("query", "key", "value"))
        },
        f"{ours}/log_rate": Tensor(f"{theirs}.A_log"),
        f"{ours}/step": Tensor(f"{theirs}.dt_bias"),
        f"{ours}/norm": f"{theirs}.norm",
        f"{ours}/out": f"{theirs}.out_proj",
    }


def delta_sizes(config: Config) -> tuple[int, int, int]:
    """Features of all queries, keys and values of the delta rule."""
    keys = config["linear_num_key_heads"] * config["linear_key_head_dim"]
    return keys, keys, config["linear_num_value_heads"] * config["linear_value_head_dim"]
