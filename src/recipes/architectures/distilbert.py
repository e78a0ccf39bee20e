"""DistilBERT: BERT without token types, at half the depth.

References:
    Sanh et al., DistilBERT, 2019, arXiv:1910.01108.
"""

from blocks import Encoder, TokenEmbedding, override
from recipes.architectures import bert
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names

# What BERT calls the fields.
FIELDS = {
    "dim": "hidden_size",
    "n_heads": "num_attention_heads",
    "hidden_dim": "intermediate_size",
    "n_layers": "num_hidden_layers",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "activation": "hidden_act",
}


def build(config: Config) -> Encoder:
    """Build the model as a value."""
    config.only("sinusoidal_pos_embds", False, True)  # The file holds the table in either case.
    config.ignore("qa_dropout", "seq_classif_dropout", "tie_weights_", *FIELDS)
    fields = {FIELDS.get(name, name): value for name, value in config.fields.items()}
    return override(bert.build(config.changed(fields)), TokenEmbedding, added=())


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    config.ignore("tie_word_embeddings")
    ours, theirs = "stack/layer_{i}", "distilbert.transformer.layer.{i}"
    return {
        "embed/embedding": "distilbert.embeddings.word_embeddings.weight",
        "embed/position": "distilbert.embeddings.position_embeddings",
        "embed/embedding_norm": "distilbert.embeddings.LayerNorm",
        f"{ours}/attention/query": f"{theirs}.attention.q_lin",
        f"{ours}/attention/key": f"{theirs}.attention.k_lin",
        f"{ours}/attention/value": f"{theirs}.attention.v_lin",
        f"{ours}/attention/out": f"{theirs}.attention.out_lin",
        f"{ours}/attention_norm": f"{theirs}.sa_layer_norm",
        f"{ours}/mlp/up": f"{theirs}.ffn.lin1",
        f"{ours}/mlp/down": f"{theirs}.ffn.lin2",
        f"{ours}/mlp_norm": f"{theirs}.output_layer_norm",
        "head/dense": "vocab_transform",
        "head/norm": "vocab_layer_norm",
        "head/head/bias": "vocab_projector.bias",
    }


TIED = {"vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight"}
register("DistilBertForMaskedLM", Family(build=build, names=names, tied=TIED))
