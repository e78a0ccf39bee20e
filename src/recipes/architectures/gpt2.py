"""GPT-2: learned positions, biases, tanh-GELU, a tied head.

References:
    Radford et al., Language Models are Unsupervised Multitask Learners, 2019.
"""

from blocks import (
    MLP,
    Causal,
    CausalLM,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.architectures.common import activation, fused_qkv, head
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names, Tensor


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.only("scale_attn_weights", True)
    config.only("scale_attn_by_inverse_layer_idx", False)
    config.only("reorder_and_upcast_attn", False)
    config.only("add_cross_attention", False)
    features = config["n_embd"]
    norm = LayerNorm(epsilon=config.get("layer_norm_epsilon", 1e-5))
    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=config["vocab_size"],
            features=features,
            position=LearnedPositions(max_length=config["n_positions"]),
            dropout_rate=config.get("embd_pdrop", 0.0),
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config["n_head"],
                    mask=Causal(),
                    dropout_rate=config.get("attn_pdrop", 0.0),
                ),
                mlp=MLP(
                    hidden=config.get("n_inner", 4 * features),
                    activation=activation(config.get("activation_function", "gelu_new")),
                ),
                norm=norm,
                dropout_rate=config.get("resid_pdrop", 0.0),
            ),
            depth=config["n_layer"],
        ),
        norm=norm,
        head=head(config, tied=True),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does, whose matrices are inputs by outputs."""
    ours, theirs, features = "stack/layer_{i}", "transformer.h.{i}", config["n_embd"]
    straight = (0, 1)
    return {
        "embed/embedding": "transformer.wte.weight",
        "embed/position": "transformer.wpe",
        f"{ours}/attention_norm": f"{theirs}.ln_1",
        **fused_qkv(f"{ours}/attention", f"{theirs}.attn.c_attn", (features,) * 3, axes=straight),
        f"{ours}/attention/out": Tensor(f"{theirs}.attn.c_proj", straight),
        f"{ours}/mlp_norm": f"{theirs}.ln_2",
        f"{ours}/mlp/up": Tensor(f"{theirs}.mlp.c_fc", straight),
        f"{ours}/mlp/down": Tensor(f"{theirs}.mlp.c_proj", straight),
        "norm": "transformer.ln_f",
        "head": "lm_head",
    }


FAMILY = Family(
    build=build,
    names=names,
    tied={"lm_head.weight": "transformer.wte.weight"},
    buffers=("*.attn.bias", "*.attn.masked_bias"),
)
register("gpt2", FAMILY)
