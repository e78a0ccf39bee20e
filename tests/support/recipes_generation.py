"""A decoder and an encoder-decoder with random parameters, and their logits without a cache."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from blocks import (
    MLP,
    Causal,
    CausalLM,
    CrossAttention,
    Encoder,
    EncoderDecoder,
    LMHead,
    MultiHeadAttention,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.core.parameters import parameter_shapes

VOCAB = 5


def layer(mask=None, cross=None):
    attention = MultiHeadAttention(num_heads=2, mask=mask, position=RoPE())
    return TransformerBlock(attention=attention, cross_attention=cross, mlp=MLP(hidden=16))


def decoder(cross=None):
    return CausalLM(
        embed=TokenEmbedding(vocab_size=VOCAB, features=8),
        stack=Stack(block=layer(Causal(), cross), depth=2, scan=cross is None),
        norm=None,
        head=LMHead(tied=True),
    )


DECODER = decoder()
SEQ2SEQ = EncoderDecoder(
    encoder=Encoder(embed=None, stack=Stack(block=layer(), depth=1)),
    decoder=decoder(CrossAttention(num_heads=2)),
)


def random_params(model, *inputs):
    """Draw parameters, as large as at a start: to compile an initialisation takes too long here."""
    draw = np.random.default_rng(0)

    def drawn(path, leaf):
        centre = float("scale" in jax.tree_util.keystr(path))
        return jnp.asarray(centre + 0.45 * draw.standard_normal(leaf.shape), leaf.dtype)

    return jax.tree_util.tree_map_with_path(drawn, parameter_shapes(model, *inputs))


@functools.partial(jax.jit, static_argnames="model")
def _logits(model, params, inputs):
    return model.apply({"params": params}, *inputs)


def log_probabilities(model, params, texts, source=None):
    """Of the token after each, for texts of one length, without a cache: `[texts, seq, vocab]`."""
    texts = jnp.array(texts)
    inputs = (texts,) if source is None else (texts, jnp.array([source] * len(texts)))
    return np.asarray(jax.nn.log_softmax(_logits(model, params, inputs)))
