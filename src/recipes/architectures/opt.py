"""OPT: learned positions that begin at the third row, ReLU, biases, a tied head.

Its model of 350M parameters has norms after each sum, and a table narrower than its layers.

References:
    Zhang et al., OPT, 2022, arXiv:2205.01068.
"""

from blocks import (
    MLP,
    CausalLM,
    FactorizedEmbedding,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    PostNorm,
    PreNorm,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.heads import ProjectedHead
from recipes.architectures.common import activation, causal, head
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    features, bias = config["hidden_size"], config.get("enable_bias", True)
    width = config.get("word_embed_proj_dim", features)
    affine, before = config.get("layer_norm_elementwise_affine", True), _norms_first(config)
    removed = config.get("_remove_final_layer_norm", False)
    norm = LayerNorm(use_scale=affine, use_bias=affine)
    position = LearnedPositions(max_length=config["max_position_embeddings"], offset=2)
    embed = TokenEmbedding(vocab_size=config["vocab_size"], features=width)
    scores = head(config, tied=True)
    if width == features:
        embed = embed.copy(position=position)
    else:
        embed = FactorizedEmbedding(
            embed=embed, features=features, use_bias=False, position=position
        )
        scores = ProjectedHead(head=scores, features=width, use_bias=False)
    return CausalLM(
        embed=embed,
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config["num_attention_heads"],
                    mask=causal(),
                    use_bias=bias,
                    dropout_rate=config.get("attention_dropout", 0.0),
                ),
                mlp=MLP(
                    hidden=config["ffn_dim"],
                    activation=activation(config.get("activation_function", "relu")),
                    use_bias=bias,
                ),
                norm=norm,
                residual=PreNorm() if before else PostNorm(),
                dropout_rate=config.get("dropout", 0.1),
            ),
            depth=config["num_hidden_layers"],
        ),
        norm=norm if before and not removed else None,
        head=scores,
    )


def _norms_first(config: Config) -> bool:
    return config.get("do_layer_norm_before", True)


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "model.decoder.layers.{i}"
    return {
        "embed/embedding": "model.decoder.embed_tokens.weight",
        "embed/embed/embedding": "model.decoder.embed_tokens.weight",
        "embed/projection": "model.decoder.project_in",
        "embed/position": "model.decoder.embed_positions",
        f"{ours}/attention_norm": f"{theirs}.self_attn_layer_norm",
        f"{ours}/attention/query": f"{theirs}.self_attn.q_proj",
        f"{ours}/attention/key": f"{theirs}.self_attn.k_proj",
        f"{ours}/attention/value": f"{theirs}.self_attn.v_proj",
        f"{ours}/attention/out": f"{theirs}.self_attn.out_proj",
        f"{ours}/mlp_norm": f"{theirs}.final_layer_norm",
        f"{ours}/mlp/up": f"{theirs}.fc1",
        f"{ours}/mlp/down": f"{theirs}.fc2",
        "norm": "model.decoder.final_layer_norm",
        "head": "lm_head",
        "head/dense": "model.decoder.project_out",
        "head/head": "lm_head",
    }


TIED = {"lm_head.weight": "model.decoder.embed_tokens.weight"}
FAMILY = Family(build=build, names=names, tied=TIED)
register("opt", FAMILY)
