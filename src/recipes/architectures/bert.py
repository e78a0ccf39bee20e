"""BERT: both directions, norms after each sum, token types, a head that fills in masked tokens.

References:
    Devlin et al., BERT, 2018, arXiv:1810.04805.
"""

from blocks import (
    MLP,
    Encoder,
    LayerNorm,
    LearnedPositions,
    LMHead,
    MaskedLMHead,
    MultiHeadAttention,
    PostNorm,
    Stack,
    TokenEmbedding,
    TokenTypes,
    TransformerBlock,
)
from recipes.architectures.common import activation
from recipes.architectures.tasks import register_tasks
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names


def build(config: Config) -> Encoder:
    """Build the model with the head of masked tokens, as a value."""
    config.only("position_embedding_type", "absolute")
    norm = LayerNorm(epsilon=config.get("layer_norm_eps", 1e-12))
    features, dropout = config["hidden_size"], config.get("hidden_dropout_prob", 0.1)
    used = activation(config.get("hidden_act", "gelu"))
    return Encoder(
        embed=TokenEmbedding(
            vocab_size=config["vocab_size"],
            features=features,
            position=LearnedPositions(max_length=config["max_position_embeddings"]),
            added=(TokenTypes(num_types=config.get("type_vocab_size", 2), features=features),),
            embedding_norm=norm,
            dropout_rate=dropout,
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config["num_attention_heads"],
                    dropout_rate=config.get("attention_probs_dropout_prob", 0.1),
                ),
                mlp=MLP(hidden=config["intermediate_size"], activation=used),
                norm=norm,
                residual=PostNorm(),
                dropout_rate=dropout,
            ),
            depth=config["num_hidden_layers"],
        ),
        head=MaskedLMHead(head=LMHead(tied=True, use_bias=True), activation=used, norm=norm),
    )


def encoder_names(ours: str, theirs: str) -> Names:
    """Name the weights of embedding and layers as BERT and RoBERTa do.

    Args:
        ours: Start of our names, with the slash at its end.
        theirs: The reference's name of the encoder; empty where it is saved alone.
    """
    theirs = f"{theirs}." if theirs else ""
    layer = f"{theirs}encoder.layer.{{i}}"
    return {
        f"{ours}embed/embedding": f"{theirs}embeddings.word_embeddings.weight",
        f"{ours}embed/position": f"{theirs}embeddings.position_embeddings",
        f"{ours}embed/token_types": f"{theirs}embeddings.token_type_embeddings",
        f"{ours}embed/embedding_norm": f"{theirs}embeddings.LayerNorm",
        f"{ours}stack/layer_{{i}}/attention/query": f"{layer}.attention.self.query",
        f"{ours}stack/layer_{{i}}/attention/key": f"{layer}.attention.self.key",
        f"{ours}stack/layer_{{i}}/attention/value": f"{layer}.attention.self.value",
        f"{ours}stack/layer_{{i}}/attention/out": f"{layer}.attention.output.dense",
        f"{ours}stack/layer_{{i}}/attention_norm": f"{layer}.attention.output.LayerNorm",
        f"{ours}stack/layer_{{i}}/mlp/up": f"{layer}.intermediate.dense",
        f"{ours}stack/layer_{{i}}/mlp/down": f"{layer}.output.dense",
        f"{ours}stack/layer_{{i}}/mlp_norm": f"{layer}.output.LayerNorm",
    }


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    config.only("tie_word_embeddings", True)
    return {
        **encoder_names("", "bert"),
        "head/dense": "cls.predictions.transform.dense",
        "head/norm": "cls.predictions.transform.LayerNorm",
        "head/head/bias": "cls.predictions.bias",
    }


TIED = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
BUFFERS = ("*embeddings.position_ids", "*embeddings.token_type_ids")
# Its first files hold all that was trained, whatever class they are of.
ASIDE = ("bert.pooler.*", "cls.seq_relationship.*")
FAMILY = Family(build=build, names=names, tied=TIED, buffers=BUFFERS, aside=ASIDE)
register("BertForMaskedLM", FAMILY)
register_tasks("Bert", "bert", FAMILY, encoder_names)
