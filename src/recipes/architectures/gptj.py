"""GPT-J: parallel sublayers with one norm, an interleaved rotation, a head with biases.

References:
    Wang and Komatsuzaki, GPT-J-6B, 2021, github.com/kingoflolz/mesh-transformer-jax.
"""

from blocks import (
    MLP,
    CausalLM,
    LayerNorm,
    MultiHeadAttention,
    Parallel,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.architectures.common import activation, causal, head
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.ignore("n_positions")  # A bound, which rotary positions do not have.
    features, heads = config["n_embd"], config["n_head"]
    norm = LayerNorm(epsilon=config.get("layer_norm_epsilon", 1e-5))
    fraction = config.get("rotary_dim", 64) * heads / features
    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=config["vocab_size"],
            features=features,
            dropout_rate=config.get("embd_pdrop", 0.0),
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=heads,
                    position=RoPE(fraction=fraction, interleaved=True),
                    mask=causal(),
                    use_bias=False,
                    dropout_rate=config.get("attn_pdrop", 0.0),
                ),
                mlp=MLP(
                    hidden=config.get("n_inner", 4 * features),
                    activation=activation(config.get("activation_function", "gelu_new")),
                ),
                norm=norm,
                residual=Parallel(),
                dropout_rate=config.get("resid_pdrop", 0.0),
            ),
            depth=config["n_layer"],
        ),
        norm=norm,
        head=head(config, use_bias=True),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    ours, theirs = "stack/layer_{i}", "transformer.h.{i}"
    return {
        "embed": "transformer.wte",
        f"{ours}/input_norm": f"{theirs}.ln_1",
        f"{ours}/attention/query": f"{theirs}.attn.q_proj",
        f"{ours}/attention/key": f"{theirs}.attn.k_proj",
        f"{ours}/attention/value": f"{theirs}.attn.v_proj",
        f"{ours}/attention/out": f"{theirs}.attn.out_proj",
        f"{ours}/mlp/up": f"{theirs}.mlp.fc_in",
        f"{ours}/mlp/down": f"{theirs}.mlp.fc_out",
        "norm": "transformer.ln_f",
        "head": "lm_head",
    }


BUFFERS = ("*.attn.bias", "*.attn.masked_bias", "*.attn.embed_positions")
FAMILY = Family(build=build, names=names, buffers=BUFFERS)
register("gptj", FAMILY)
