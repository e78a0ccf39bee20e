"""T5: an encoder-decoder with a relative bias that layers share, RMSNorm, and no scale on scores.

Version 1.1, which Flan-T5 and UL2 are, has a gated MLP and a head of its own.

References:
    Raffel et al., Exploring the Limits of Transfer Learning with T5, 2019, arXiv:1910.10683.
    Shazeer, GLU Variants Improve Transformer, 2020, arXiv:2002.05202.
    Tay et al., UL2, 2022, arXiv:2205.05131.
"""

from blocks import (
    MLP,
    Causal,
    CausalLM,
    CrossAttention,
    Encoder,
    EncoderDecoder,
    GatedMLP,
    LMHead,
    MultiHeadAttention,
    RMSNorm,
    SharedRelativeBias,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.architectures.common import activation
from recipes.weights.config import Config
from recipes.weights.families import Family, register, source_and_target
from recipes.weights.rules import Names, Tensor


def build(config: Config) -> EncoderDecoder:
    """Build the model as a value."""
    config.ignore("classifier_dropout", "dense_act_fn", "is_gated_act")
    # The reference's own files say that weights are tied, and mean those whose output is scaled.
    tied = config.get("tie_word_embeddings", True)
    return model_of(config, tied=config.get("scale_decoder_outputs", tied))


def model_of(config: Config, *, tied: bool) -> EncoderDecoder:
    """Build the model with a head that is tied, and scales then, or not."""
    features, rate = config["d_model"], config.get("dropout_rate", 0.1)
    norm = RMSNorm(epsilon=config.get("layer_norm_epsilon", 1e-6))
    heads = {"num_heads": config["num_heads"], "head_dim": config["d_kv"]}
    heads |= {"scale": 1.0, "use_bias": False, "dropout_rate": rate}

    def stack(depth: int, *, decodes: bool) -> Stack:
        bias = SharedRelativeBias(
            num_buckets=config.get("relative_attention_num_buckets", 32),
            max_distance=config.get("relative_attention_max_distance", 128),
            bidirectional=not decodes,
        )
        block = TransformerBlock(
            attention=MultiHeadAttention(
                scores=(bias,), mask=Causal() if decodes else None, **heads
            ),
            cross_attention=CrossAttention(**heads) if decodes else None,
            mlp=_mlp(config),
            norm=norm,
            dropout_rate=rate,
        )
        return Stack(block=block, depth=depth)

    depth, vocab_size = config["num_layers"], config["vocab_size"]
    head = LMHead(tied=True, logit_scale=features**-0.5)
    head = head if tied else LMHead(vocab_size=vocab_size)
    return EncoderDecoder(
        encoder=Encoder(embed=None, stack=stack(depth, decodes=False), norm=norm),
        decoder=CausalLM(
            embed=TokenEmbedding(vocab_size=vocab_size, features=features, dropout_rate=rate),
            stack=stack(config.get("num_decoder_layers", depth), decodes=True),
            norm=norm,
            head=head,
        ),
    )


def _mlp(config: Config) -> MLP | GatedMLP:
    gated, _, name = config.get("feed_forward_proj", "relu").rpartition("-")
    return (GatedMLP if gated else MLP)(
        hidden=config["d_ff"],
        # The gated GELU is the approximation by tanh, whatever the name says.
        activation=activation("gelu_new" if gated and name == "gelu" else name),
        use_bias=False,
        dropout_rate=config.get("dropout_rate", 0.1),
    )


def names(config: Config, *, attention: str = "SelfAttention") -> Names:
    """Name the weights as the reference does; `attention` is that of the encoder."""
    gated = config.get("feed_forward_proj", "relu").startswith("gated")
    parts = {"query": "q", "key": "k", "value": "v", "out": "o", "gate": "wi_0", "down": "wo"}
    parts["up"] = "wi_1" if gated else "wi"
    table: dict[str, str | Tensor] = {"decoder/embed": "shared", "decoder/head": "lm_head"}
    cross, mlp = {"cross_attention": "EncDecAttention"}, {"mlp": "DenseReluDense"}
    sides = {
        "encoder": {"attention": attention} | mlp,
        "decoder": {"attention": "SelfAttention"} | cross | mlp,
    }
    for side, sublayers in sides.items():
        table[f"{side}/norm"] = f"{side}.final_layer_norm"
        for index, (name, kind) in enumerate(sublayers.items()):
            ours, theirs = f"{side}/stack/layer_{{i}}/{name}", f"{side}.block.{{i}}.layer.{index}"
            table[f"{ours}_norm"] = f"{theirs}.layer_norm"
            table |= {f"{ours}/{part}": f"{theirs}.{kind}.{one}" for part, one in parts.items()}
            bias = f"{theirs}.{kind}.relative_attention_bias.weight"
            table[f"{ours}/shared_relative_bias/bias"] = Tensor(bias, (0, 1))
    return table


TABLES = ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
FAMILY = Family(
    build=build,
    names=names,
    inputs=source_and_target,
    tied=dict.fromkeys(TABLES, "shared.weight"),
    buffers=("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",),
)
register("t5", FAMILY)
