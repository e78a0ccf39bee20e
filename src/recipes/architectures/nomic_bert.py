"""Nomic-BERT: BERT with rotary positions and a gated MLP, the body of sentence encoders.

References:
    Nussbaum et al., Nomic Embed: Training a Reproducible Long Context Text Embedder, 2024,
    arXiv:2402.01613.
"""

import dataclasses

from blocks import Encoder, GatedMLP, MultiHeadAttention, TokenEmbedding, TransformerBlock, override
from recipes.architectures import bert
from recipes.architectures.common import activation, fused_qkv, rotary
from recipes.weights.config import Config
from recipes.weights.families import register
from recipes.weights.rules import Names


def build(config: Config) -> Encoder:
    """Build the model with the head of masked tokens, as a value."""
    name = config.get("hidden_act", "silu")
    model = override(
        bert.build(config.changed({**config.fields, "hidden_act": name})),
        MultiHeadAttention,
        head_dim=config.get("head_dim"),
        position=rotary(config, theta=1000.0),
        use_bias=False,
    )
    model = override(model, TokenEmbedding, position=None)
    mlp = GatedMLP(hidden=config["intermediate_size"], activation=activation(name), use_bias=False)
    return override(model, TransformerBlock, mlp=mlp)


def encoder_names(config: Config, theirs: str) -> Names:
    """Name the weights of the encoder; `theirs` is the reference's start of its names."""
    ours, layer = "stack/layer_{i}", f"{theirs}encoder.layers.{{i}}"
    heads = config["num_attention_heads"]
    size = heads * config.get("head_dim", config["hidden_size"] // heads)
    return {
        "embed/embedding": f"{theirs}embeddings.word_embeddings.weight",
        "embed/token_types": f"{theirs}embeddings.token_type_embeddings",
        "embed/embedding_norm": f"{theirs}emb_ln",
        **fused_qkv(f"{ours}/attention", f"{layer}.attn.Wqkv", (size, size, size)),
        f"{ours}/attention/out": f"{layer}.attn.out_proj",
        f"{ours}/attention_norm": f"{layer}.norm1",
        f"{ours}/mlp/up": f"{layer}.mlp.fc11",
        f"{ours}/mlp/gate": f"{layer}.mlp.fc12",
        f"{ours}/mlp/down": f"{layer}.mlp.fc2",
        f"{ours}/mlp_norm": f"{layer}.norm2",
    }


def names(config: Config) -> Names:
    """Name the weights as the reference does."""
    config.ignore("tie_word_embeddings")
    return {
        **encoder_names(config, "nomic_bert."),
        "head/dense": "cls.predictions.transform.dense",
        "head/norm": "cls.predictions.transform.layer_norm",
        "head/head/bias": "cls.predictions.bias",
    }


def _bare(config: Config) -> Encoder:
    return override(build(config), Encoder, head=None)


def _bare_names(config: Config) -> Names:
    config.ignore("tie_word_embeddings")
    return encoder_names(config, "")


TIED = {
    "cls.predictions.decoder.weight": "nomic_bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
FAMILY = dataclasses.replace(bert.FAMILY, build=build, names=names, tied=TIED, aside=())
register("NomicBertForMaskedLM", FAMILY)
register("NomicBertModel", dataclasses.replace(FAMILY, build=_bare, names=_bare_names, tied={}))
