"""Mistakes in whole models and their surgery."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import (
    ATTEND,
    ODD,
    TOKENS,
    X,
    both,
    encoder,
    layer,
    mistake,
    model,
    on,
    shapes,
    told,
)

from blocks import CausalLM, Context, Encoder, EncoderDecoder, Stack, override
from blocks.embeddings import VectorEmbedding

CASES = (
    mistake(
        "CausalLM heads in a pattern",
        lambda: shapes(
            model(stack=Stack(block=(layer(), layer(attention=ODD)), depth=4, scan=True)), TOKENS
        ),
        ValueError,
        (
            "MultiHeadAttention at `stack.layers_1.attention`: num_heads=3 must divide "
            "embed=8; use 1, 2, 4 or 8, or give head_dim."
        ),
    ),
    mistake(
        "CausalLM heads in a loop",
        lambda: shapes(model(stack=Stack(block=(layer(), layer(attention=ODD)), depth=4)), TOKENS),
        ValueError,
        (
            "MultiHeadAttention at `stack.layer_1.attention`: num_heads=3 must divide "
            "embed=8; use 1, 2, 4 or 8, or give head_dim."
        ),
    ),
    mistake(
        "CausalLM no parameters",
        lambda: model().apply({}, TOKENS),
        ValueError,
        "CausalLM: no parameter `embedding` among the variables of this call",
        (
            '  fix:      pass what init of this model returned, or {"params": params} where you '
            "kept those; an adapter has parameters of its own"
        ),
    ),
    mistake(
        "CausalLM cache not returned",
        lambda: on(model(), (TOKENS,), TOKENS, Context(cache_size=3)),
        ValueError,
        "CausalLM: this call writes the collection `cache`, and does not return it",
        '  fix:      apply(..., mutable=["cache"]), which gives result and variables',
    ),
    mistake(
        "CausalLM sees ahead",
        lambda: model(stack=layer(attention=ATTEND)),
        ValueError,
        (
            "CausalLM: stack.attention can see ahead (mask=None), which a CausalLM must "
            "not; use mask=Causal(), or `Causal() & ...`."
        ),
    ),
    told(
        "Encoder vectors",
        lambda: shapes(encoder(), X),
        TypeError,
        "TokenEmbedding at `embed`: argument `tokens`",
        "it looks one-hot; give the ids, jnp.argmax(tokens, axis=-1)",
    ),
    told(
        "EncoderDecoder no source",
        lambda: shapes(both(), TOKENS),
        ValueError,
        "CrossAttention at `decoder.stack.cross_attention`: cross-attention has nothing to read",
    ),
    told(
        "EncoderDecoder context as source",
        lambda: shapes(both(), TOKENS, Context()),
        TypeError,
        "EncoderDecoder: argument `source`",
        "Context goes into context=Context()",
    ),
    told(
        "EncoderDecoder source batch",
        lambda: shapes(both(), TOKENS, jnp.zeros((3, 4), jnp.int32)),
        TypeError,
        "EncoderDecoder: argument `source`",
        (
            "expected: Int[Array, 'batch in_seq'] | Float[Array, 'batch in_seq in_embed'] | "
            "Float[Array, 'batch height width channels'] | None"
        ),
    ),
    told(
        "EncoderDecoder no table",
        lambda: shapes(
            override(override(both(), Encoder, embed=VectorEmbedding()), CausalLM, embed=None),
            TOKENS,
            TOKENS,
        ),
        ValueError,
        "EncoderDecoder: the encoder looks its tokens up in the decoder's table, and embed=None "
        "has no method `vectors` for it; give the encoder an embedding of its own.",
    ),
    told(
        "EncoderDecoder reads nothing",
        lambda: EncoderDecoder(encoder=encoder(), decoder=model()),
        ValueError,
        "EncoderDecoder: no layer of decoder.stack reads the source",
    ),
    told(
        "override unknown",
        lambda: override(layer(), num_head=3),
        ValueError,
        "override: no part of TransformerBlock has a field `num_head`",
    ),
)
