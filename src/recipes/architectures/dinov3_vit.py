"""DINOv3: a ViT whose patches are turned by row and column, with registers and layer scale.

References:
    Siméoni et al., DINOv3, 2025, arXiv:2508.10104.
"""

from blocks import MLP, Encoder, GatedMLP, LayerScale, MultiHeadAttention, override
from blocks.attention.multi_head import Biases
from blocks.layers import TransformerBlock
from blocks.positions import GridRoPE
from recipes.architectures.common import activation
from recipes.architectures.vision import grid, images, layers, norm, patch_names, patches
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Joined, Names, Tensor


def build(config: Config) -> Encoder:
    """Build the encoder, which has vectors of all tokens after the final norm."""
    config.ignore(
        "apply_layernorm", "drop_path_rate", "layerscale_value", "out_features", "out_indices",
        "pos_embed_jitter", "pos_embed_rescale", "pos_embed_shift", "reshape_hidden_states",
        "stage_names",
    )  # fmt: skip
    extra, cells = 1 + config.get("num_register_tokens", 0), grid(config)
    stack = override(
        layers(config, epsilon=1e-5, residual=LayerScale()),
        MultiHeadAttention,
        position=GridRoPE(
            rows=cells, columns=cells, extra_tokens=extra, theta=config.get("rope_theta", 100.0)
        ),
        use_bias=Biases(
            query=config.get("query_bias", True),
            key=config.get("key_bias", False),
            value=config.get("value_bias", True),
            out=config.get("proj_bias", True),
        ),
    )
    kind = GatedMLP if config.get("use_gated_mlp", False) else MLP
    mlp = kind(
        hidden=config["intermediate_size"],
        activation=activation(config.get("hidden_act", "gelu")),
        use_bias=config.get("mlp_bias", True),
    )
    return Encoder(
        embed=patches(config, positions=False, extra_tokens=extra),
        stack=override(stack, TransformerBlock, mlp=mlp),
        norm=norm(config, 1e-5),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    width, registers = config["hidden_size"], config.get("num_register_tokens", 0)
    tokens = [Tensor("embeddings.cls_token", shape=(1, 1, width))]
    if registers:
        tokens.append(Tensor("embeddings.register_tokens", shape=(1, registers, width)))
    ours, theirs = "stack/layer_{i}", "layer.{i}"
    parts = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "o_proj"}
    return {
        "embed/tokens": Joined(tuple(tokens), (1, registers)[: len(tokens)]),
        **patch_names(config, "embeddings.patch_embeddings"),
        **{f"{ours}/attention/{part}": f"{theirs}.attention.{n}" for part, n in parts.items()},
        **{f"{ours}/mlp/{part}": f"{theirs}.mlp.{part}_proj" for part in ("gate", "up", "down")},
        f"{ours}/attention_norm": f"{theirs}.norm1",
        f"{ours}/mlp_norm": f"{theirs}.norm2",
        f"{ours}/residual/attention_scale": f"{theirs}.layer_scale1.lambda1",
        f"{ours}/residual/mlp_scale": f"{theirs}.layer_scale2.lambda1",
        "norm": "norm",
    }


# The mask token is of training alone; there may be no register.
FAMILY = Family(
    build=build,
    names=names,
    inputs=images,
    buffers=("embeddings.mask_token", "embeddings.register_tokens"),
)
register("dinov3_vit", FAMILY)
