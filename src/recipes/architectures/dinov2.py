"""DINOv2: a ViT with a learned scale on each sublayer, and registers.

References:
    Oquab et al., DINOv2, 2023, arXiv:2304.07193.
    Darcet et al., Vision Transformers Need Registers, 2023, arXiv:2309.16588.
"""

from blocks import Encoder, GatedMLP, LayerScale, override
from blocks.layers import TransformerBlock
from recipes.architectures.common import activation, gate_up
from recipes.architectures.vision import (
    images,
    layers,
    norm,
    patch_names,
    patches,
    position_names,
)
from recipes.architectures.vit import layer_names
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Joined, Names, Tensor


def build(config: Config) -> Encoder:
    """Build the encoder, which has vectors of all tokens after the final norm."""
    config.ignore(
        "apply_layernorm", "drop_path_rate", "layerscale_value", "out_features", "out_indices",
        "reshape_hidden_states", "stage_names", "use_mask_token",
    )  # fmt: skip
    hidden = config["hidden_size"] * config.get("mlp_ratio", 4)
    stack = layers(
        config.changed({**config.fields, "intermediate_size": hidden}),
        epsilon=1e-6,
        residual=LayerScale(),
    )
    if config.get("use_swiglu_ffn", False):
        mlp = GatedMLP(hidden=gated(hidden), activation=activation("silu"), use_bias=True)
        stack = override(stack, TransformerBlock, mlp=mlp)
    return Encoder(
        embed=patches(
            config,
            extra_tokens=1 + config.get("num_register_tokens", 0),
            token_positions=1,
            dropout_rate=config.get("hidden_dropout_prob", 0.0),
        ),
        stack=stack,
        norm=norm(config, 1e-6),
    )


def gated(hidden: int) -> int:
    """Compute the width of the gated MLP: two thirds, rounded up to a multiple of 8."""
    return (int(hidden * 2 / 3) + 7) // 8 * 8


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    width, registers = config["hidden_size"], config.get("num_register_tokens", 0)
    tokens = [Tensor("embeddings.cls_token", shape=(1, 1, width))]
    if registers:
        tokens.append(Tensor("embeddings.register_tokens", shape=(1, registers, width)))
    ours, theirs = "stack/layer_{i}", "encoder.layer.{i}"
    hidden = gated(width * config.get("mlp_ratio", 4))
    fused = config.get("use_swiglu_ffn", False)
    return {
        "embed/tokens": Joined(tuple(tokens), (1, registers)[: len(tokens)]),
        **position_names(config, "embeddings.position_embeddings", 1),
        **patch_names(config, "embeddings.patch_embeddings.projection"),
        **layer_names(ours, theirs),
        f"{ours}/attention_norm": f"{theirs}.norm1",
        f"{ours}/mlp_norm": f"{theirs}.norm2",
        f"{ours}/residual/attention_scale": f"{theirs}.layer_scale1.lambda1",
        f"{ours}/residual/mlp_scale": f"{theirs}.layer_scale2.lambda1",
        f"{ours}/mlp/up": f"{theirs}.mlp.fc1",
        f"{ours}/mlp/down": f"{theirs}.mlp.{'weights_out' if fused else 'fc2'}",
        **(gate_up(f"{ours}/mlp", f"{theirs}.mlp.weights_in", hidden) if fused else {}),
        "norm": "layernorm",
    }


# The mask token is of training alone.
FAMILY = Family(build=build, names=names, inputs=images, buffers=("embeddings.mask_token",))
register("dinov2", FAMILY)
register("dinov2_with_registers", FAMILY)
