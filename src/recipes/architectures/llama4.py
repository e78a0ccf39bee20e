"""Llama 4 (text): chunked layers with rotation, full ones without, and experts of one choice.

References:
    Meta AI, The Llama 4 herd, 2025, ai.meta.com/blog/llama-4-multimodal-intelligence.
"""

import dataclasses

from blocks import (
    Causal,
    CausalLM,
    ChunkedLocal,
    QKNorm,
    RMSNorm,
    SigmoidRouter,
    TransformerBlock,
    override,
)
from blocks.moe import InputWeightedMixture
from blocks.positions import QueryTemperature
from recipes.architectures import llama
from recipes.architectures.common import layers, rotary
from recipes.architectures.experts import gated, number_of_experts
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names, Part, Tensor


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    depth, step = config["num_hidden_layers"], config.get("interleave_moe_layer_step", 1)
    every = config.get("no_rope_layer_interval", 4)
    turning = config.get("no_rope_layers", [int((i + 1) % every != 0) for i in range(depth)])
    sparse = config.get("moe_layers", list(range(step - 1, depth, step)))
    usual = ["chunked_attention" if turns else "full_attention" for turns in turning]
    kinds = config.get("layer_types", usual)
    model = llama.build(config)
    block = model.stack.block
    flat = RMSNorm(epsilon=config["rms_norm_eps"], use_scale=False)
    norms = (QKNorm(norm=flat),) if config.get("use_qk_norm", True) else ()
    tuned, chunk = config.get("attn_temperature_tuning", True), config["attention_chunk_size"]
    temperature = QueryTemperature(
        interval=config.get("floor_scale", 8192), scale=config.get("attn_scale", 0.1)
    )
    mixture = InputWeightedMixture(
        router=SigmoidRouter(
            num_experts=number_of_experts(config),
            top_k=config.get("num_experts_per_tok", 1),
            use_bias=False,
            renormalize=False,
        ),
        expert=gated(config, config["intermediate_size"]),
        shared=gated(config, config["intermediate_size"]),
    )
    dense = gated(config, config["intermediate_size_mlp"])
    position = rotary(config, interleaved=True, theta=5e5)

    def make(kind: tuple[int, str, bool]) -> TransformerBlock:
        turns, mask, chosen = kind
        attention = override(
            block.attention,
            qk=(position, *norms) if turns else (),
            position=None if turns or not tuned else temperature,
            mask=Causal() & ChunkedLocal(chunk) if mask == "chunked_attention" else Causal(),
        )
        return override(
            block, TransformerBlock, attention=attention, mlp=mixture if chosen else dense
        )

    each = [(turning[i], kinds[i], i in sparse) for i in range(depth)]
    return override(model, CausalLM, stack=layers(each, make))


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}/mlp", "model.layers.{i}.feed_forward"
    experts, hidden = f"{theirs}.experts", config["intermediate_size"]
    shared = f"{theirs}.shared_expert"
    maps = {"gate": "gate_proj", "up": "up_proj", "down": "down_proj"}
    fused = {
        f"{ours}/experts/{name}/kernel": Part(
            f"{experts}.gate_up_proj", (0, 1, 2), index=index, sizes=(hidden, hidden)
        )
        for index, name in enumerate(("gate", "up"))
    }
    return {
        **llama.names(config),
        **{f"{ours}/{name}": f"{theirs}.{map_}" for name, map_ in maps.items()},
        **{f"{ours}/shared/{name}": f"{shared}.{map_}" for name, map_ in maps.items()},
        f"{ours}/router/logits": f"{theirs}.router",
        **fused,
        f"{ours}/experts/down/kernel": Tensor(f"{experts}.down_proj", (0, 1, 2)),
    }


FAMILY = dataclasses.replace(llama.FAMILY, build=build, names=names)
register("llama4_text", FAMILY)
