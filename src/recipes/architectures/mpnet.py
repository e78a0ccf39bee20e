"""MPNet: RoBERTa with a relative bias that all layers share; the body of many sentence encoders.

References:
    Song et al., MPNet: Masked and Permuted Pre-training for Language Understanding, 2020,
    arXiv:2004.09297.
"""

from blocks import Encoder, MultiHeadAttention, SharedRelativeBias, TokenEmbedding, override
from recipes.architectures import roberta
from recipes.architectures.tasks import register_tasks
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names, Tensor


def build(config: Config) -> Encoder:
    """Build the model as a value."""
    # Positions count from the row after that of padding, which is 1 whatever the field says.
    fields = {**config.fields, "pad_token_id": 1, "type_vocab_size": 1}
    model = override(roberta.build(config.changed(fields)), TokenEmbedding, added=())
    # Its distances end at 128, and 32 buckets, whatever the table has.
    config.only("relative_attention_num_buckets", 32)
    return override(model, MultiHeadAttention, scores=(SharedRelativeBias(),))


def encoder_names(ours: str, theirs: str) -> Names:
    """Name the weights of the encoder."""
    theirs = f"{theirs}." if theirs else ""
    layer, mine = f"{theirs}encoder.layer.{{i}}", f"{ours}stack/layer_{{i}}"
    bias = f"{theirs}encoder.relative_attention_bias.weight"
    return {
        f"{ours}embed/embedding": f"{theirs}embeddings.word_embeddings.weight",
        f"{ours}embed/position": f"{theirs}embeddings.position_embeddings",
        f"{ours}embed/embedding_norm": f"{theirs}embeddings.LayerNorm",
        f"{ours}stack/layer_0/attention/shared_relative_bias/bias": Tensor(bias, (0, 1)),
        f"{mine}/attention/query": f"{layer}.attention.attn.q",
        f"{mine}/attention/key": f"{layer}.attention.attn.k",
        f"{mine}/attention/value": f"{layer}.attention.attn.v",
        f"{mine}/attention/out": f"{layer}.attention.attn.o",
        f"{mine}/attention_norm": f"{layer}.attention.LayerNorm",
        f"{mine}/mlp/up": f"{layer}.intermediate.dense",
        f"{mine}/mlp/down": f"{layer}.output.dense",
        f"{mine}/mlp_norm": f"{layer}.output.LayerNorm",
    }


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    config.ignore("tie_word_embeddings")
    head = {"dense": "lm_head.dense", "norm": "lm_head.layer_norm", "head/bias": "lm_head.bias"}
    return {
        **encoder_names("", "mpnet"),
        **{f"head/{ours}": theirs for ours, theirs in head.items()},
    }


FAMILY = Family(
    build=build,
    names=names,
    tied=roberta.tied_to("mpnet"),
    buffers=("*embeddings.position_ids",),
    aside=("mpnet.pooler.*",),
)
register("MPNetForMaskedLM", FAMILY)
register_tasks("MPNet", "mpnet", FAMILY, encoder_names, **roberta.CLASSES)
