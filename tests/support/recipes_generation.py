"""A decoder and an encoder-decoder with random parameters, and their logits without a cache."""

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
    made = model.init(jax.random.key(0), *inputs)["params"]
    leaves, tree = jax.tree.flatten(made)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noise = [x + jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, noise)


def log_probabilities(model, params, texts, source=None):
    """Of the token after each, for texts of one length, without a cache: `[texts, seq, vocab]`."""
    texts = jnp.array(texts)
    inputs = (texts,) if source is None else (texts, jnp.array([source] * len(texts)))
    logits = jax.jit(model.apply)({"params": params}, *inputs)
    return np.asarray(jax.nn.log_softmax(logits))
