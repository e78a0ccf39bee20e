"""XGLM: norms before sublayers, sines before cosines from the third position, a tied head.

References:
    Lin et al., Few-shot Learning with Multilingual Language Models, 2021, arXiv:2112.10668.
"""

from blocks import (
    MLP,
    Causal,
    CausalLM,
    LayerNorm,
    MultiHeadAttention,
    SinusoidalPositions,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.architectures import opt
from recipes.architectures.common import activation, head
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names

WAVES = SinusoidalPositions(interleaved=False, endpoint=True, offset=2)


def build(config: Config) -> CausalLM:
    """Build the model as a value."""
    config.only("pad_token_id", 1, 0)  # Its row in the table of positions is zero.
    config.only("add_cross_attention", False)
    config.ignore("max_position_embeddings")  # waves have no end
    features, rate = config["d_model"], config.get("dropout", 0.1)
    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=config["vocab_size"],
            features=features,
            position=WAVES,
            embedding_scale=features**0.5 if config.get("scale_embedding", True) else 1.0,
            dropout_rate=rate,
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config["attention_heads"],
                    mask=Causal(),
                    dropout_rate=config.get("attention_dropout", 0.1),
                ),
                mlp=MLP(
                    hidden=config["ffn_dim"],
                    activation=activation(config.get("activation_function", "gelu")),
                    dropout_rate=config.get("activation_dropout", 0.0),
                ),
                norm=LayerNorm(),
                dropout_rate=rate,
            ),
            depth=config["num_layers"],
        ),
        norm=LayerNorm(),
        head=head(config, tied=True),
    )


def names(config: Config) -> Names:
    """Name the weights as the reference does: as OPT's, without a decoder around them."""
    table = {
        ours: str(theirs).replace("model.decoder.", "model.")
        for ours, theirs in opt.names(config).items()
    }
    return table | {"norm": "model.layer_norm"}


TIED = {"lm_head.weight": "model.embed_tokens.weight"}
FAMILY = Family(build=build, names=names, tied=TIED, buffers=("model.embed_positions.weights",))
register("xglm", FAMILY)
