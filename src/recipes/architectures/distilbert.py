"""DistilBERT: BERT without token types, at half the depth.

References:
    Sanh et al., DistilBERT, 2019, arXiv:1910.01108.
"""

import jax

from blocks import Encoder, TokenEmbedding, override
from blocks.heads import DensePool
from recipes.architectures import bert
from recipes.architectures.tasks import register_tasks
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


def encoder_names(ours: str, theirs: str) -> Names:
    """Name the weights of the encoder, which the reference calls so; empty where it is alone."""
    body = f"{theirs}." if theirs else ""
    layer, theirs = f"{ours}stack/layer_{{i}}", f"{body}transformer.layer.{{i}}"
    return {
        f"{ours}embed/embedding": f"{body}embeddings.word_embeddings.weight",
        f"{ours}embed/position": f"{body}embeddings.position_embeddings",
        f"{ours}embed/embedding_norm": f"{body}embeddings.LayerNorm",
        f"{layer}/attention/query": f"{theirs}.attention.q_lin",
        f"{layer}/attention/key": f"{theirs}.attention.k_lin",
        f"{layer}/attention/value": f"{theirs}.attention.v_lin",
        f"{layer}/attention/out": f"{theirs}.attention.out_lin",
        f"{layer}/attention_norm": f"{theirs}.sa_layer_norm",
        f"{layer}/mlp/up": f"{theirs}.ffn.lin1",
        f"{layer}/mlp/down": f"{theirs}.ffn.lin2",
        f"{layer}/mlp_norm": f"{theirs}.output_layer_norm",
    }


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    config.only("tie_word_embeddings", True)
    return {
        **encoder_names("", "distilbert"),
        "head/dense": "vocab_transform",
        "head/norm": "vocab_layer_norm",
        "head/head/bias": "vocab_projector.bias",
    }


TIED = {"vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight"}
FAMILY = Family(build=build, names=names, tied=TIED)
register("DistilBertForMaskedLM", FAMILY)
register_tasks(
    "DistilBert",
    "distilbert",
    FAMILY,
    encoder_names,
    pooled=False,
    dense="pre_classifier",
    pool=DensePool(activation=jax.nn.relu),
    rate="seq_classif_dropout",
)
