"""wav2vec 2.0 with a CTC head: convolutions on sound, positions by another, an encoder.

Sound comes as samples, `[batch, samples, 1]`.

References:
    Baevski et al., wav2vec 2.0, 2020, arXiv:2006.11477.
"""

from typing import Any

from blocks import (
    MLP,
    Encoder,
    LayerNorm,
    Linear,
    LMHead,
    MultiHeadAttention,
    PostNorm,
    PreNorm,
    Stack,
    TransformerBlock,
)
from blocks.embeddings import SoundEmbedding
from blocks.positions import ConvolutionalPositions
from recipes.architectures.common import activation
from recipes.architectures.sound import convolution_names, convolutions, samples
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names, Tensor

# Of pretraining, of other heads, of the loss, and of training.
UNREAD = (
    "apply_spec_augment", "classifier_proj_size", "codevector_dim",
    "contrastive_logits_temperature",
    "ctc_loss_reduction", "ctc_zero_infinity", "diversity_loss_weight", "feat_proj_dropout",
    "feat_quantizer_dropout", "final_dropout", "layerdrop", "mask_feature_length",
    "mask_feature_min_masks", "mask_feature_prob", "mask_time_length", "mask_time_min_masks",
    "mask_time_prob", "num_codevector_groups", "num_codevectors_per_group", "num_negatives",
    "proj_codevector_dim", "tdnn_dilation", "tdnn_dim", "tdnn_kernel", "use_weighted_layer_sum",
    "xvector_output_dim", "adapter_kernel_size", "adapter_stride", "num_adapter_layers",
    "output_hidden_size", "num_feat_extract_layers", "gradient_checkpointing",
)  # fmt: skip


def build(config: Config) -> Encoder:
    """Build the model, which has logits of each character at each step."""
    config.only("add_adapter", False)
    config.only("adapter_attn_dim", None)
    config.ignore(*UNREAD)
    norm = LayerNorm(epsilon=config.get("layer_norm_eps", 1e-5))
    first, dropout = config.get("do_stable_layer_norm", False), config.get("hidden_dropout", 0.1)
    block = TransformerBlock(
        attention=MultiHeadAttention(
            num_heads=config["num_attention_heads"],
            dropout_rate=config.get("attention_dropout", 0.1),
        ),
        mlp=MLP(
            hidden=config["intermediate_size"],
            activation=activation(config.get("hidden_act", "gelu")),
            dropout_rate=config.get("activation_dropout", 0.1),
        ),
        norm=norm,
        residual=PreNorm() if first else PostNorm(),
        dropout_rate=dropout,
    )
    position = ConvolutionalPositions(
        width=config.get("num_conv_pos_embeddings", 128),
        num_groups=config.get("num_conv_pos_embedding_groups", 16),
        activation=activation(config.get("feat_extract_activation", "gelu")),
    )
    return Encoder(
        embed=SoundEmbedding(
            steps=(*convolutions(config), norm, Linear(features=(config["hidden_size"],))),
            position=position,
            embedding_norm=None if first else norm,
            dropout_rate=dropout,
        ),
        stack=Stack(block=block, depth=config["num_hidden_layers"]),
        norm=norm if first else None,
        head=LMHead(vocab_size=config["vocab_size"], use_bias=True),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "wav2vec2.encoder.layers.{i}"
    start, count = "wav2vec2.feature_extractor.conv_layers", len(config["conv_dim"])
    norm = "embed/embedding_norm" if not config.get("do_stable_layer_norm", False) else "norm"
    position = "wav2vec2.encoder.pos_conv_embed.conv"
    attention = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "out_proj"}
    found: dict[str, Any] = {}
    for i in range(count):
        found |= convolution_names(f"embed/step_{i}", f"{start}.{i}.conv")
        found[f"embed/step_{i}/norm"] = f"{start}.{i}.layer_norm"
    return {
        **found,
        f"embed/step_{count}": "wav2vec2.feature_projection.layer_norm",
        f"embed/step_{count + 1}": "wav2vec2.feature_projection.projection",
        "embed/position/kernel": Tensor(f"{position}.parametrizations.weight.original1", (2, 1, 0)),
        "embed/position/scale": Tensor(
            f"{position}.parametrizations.weight.original0",
            shape=(1, 1, config.get("num_conv_pos_embeddings", 128)),
        ),
        "embed/position/bias": f"{position}.bias",
        norm: "wav2vec2.encoder.layer_norm",
        **{f"{ours}/attention/{part}": f"{theirs}.attention.{n}" for part, n in attention.items()},
        f"{ours}/attention_norm": f"{theirs}.layer_norm",
        f"{ours}/mlp/up": f"{theirs}.feed_forward.intermediate_dense",
        f"{ours}/mlp/down": f"{theirs}.feed_forward.output_dense",
        f"{ours}/mlp_norm": f"{theirs}.final_layer_norm",
        "head": "lm_head",
    }


# What masks spans in training stays out.
FAMILY = Family(build=build, names=names, inputs=samples, buffers=("wav2vec2.masked_spec_embed",))
register("Wav2Vec2ForCTC", FAMILY)
