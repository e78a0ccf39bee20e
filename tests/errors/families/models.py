"""Mistakes in whole models and their surgery."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import jax.numpy as jnp
from errors.case import ATTEND, ODD, TOKENS, X, both, encoder, layer, mistake, model, on, shapes

from blocks import Context, EncoderDecoder, Stack, override, replace

CASES = (
    mistake(
        "CausalLM rank",
        lambda: shapes(model(), TOKENS[0]),
        TypeError,
        "CausalLM: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   i32[3]",
        "  fix:      add the batch axis: tokens[None]",
    ),
    mistake(
        "CausalLM one-hot",
        lambda: shapes(model(), X),
        TypeError,
        "CausalLM: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   f32[2,3,8]",
        "  fix:      it looks one-hot; give the ids, jnp.argmax(tokens, axis=-1)",
    ),
    mistake(
        "CausalLM swapped",
        lambda: shapes(model(), Context(), TOKENS),
        TypeError,
        "CausalLM: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   Context()",
        "  fix:      they are swapped: `tokens` comes before `context`",
    ),
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
        ("CausalLM: no parameter `embedding`: the variables of this call hold none for this block"),
        ('  fix:      pass what init returned, or {"params": params} where you kept those'),
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
    mistake(
        "Encoder rank",
        lambda: shapes(encoder(), TOKENS[0]),
        TypeError,
        "Encoder: argument `inputs` does not fit its signature",
        (
            "  expected: Int[Array, 'batch in_seq'] | Float[Array, 'batch in_seq in_embed']"
            " | Float[Array, 'batch height width channels']"
        ),
        "  actual:   i32[3]",
        "  fix:      add the batch axis: inputs[None]",
    ),
    mistake(
        "Encoder vectors",
        lambda: shapes(encoder(), X),
        TypeError,
        "TokenEmbedding at `embed`: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   f32[2,3,8]",
        "  fix:      it looks one-hot; give the ids, jnp.argmax(tokens, axis=-1)",
    ),
    mistake(
        "EncoderDecoder no source",
        lambda: shapes(both(), TOKENS),
        ValueError,
        (
            "CrossAttention at `decoder.stack.cross_attention`: cross-attention has nothing"
            " to read; call with Context(memory=...), the output of an encoder."
        ),
    ),
    mistake(
        "EncoderDecoder context as source",
        lambda: shapes(both(), TOKENS, Context()),
        TypeError,
        "EncoderDecoder: argument `source` does not fit its signature",
        (
            "  expected: Int[Array, 'batch in_seq'] | Float[Array, 'batch in_seq in_embed']"
            " | Float[Array, 'batch height width channels'] | None"
        ),
        "  actual:   Context()",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
        "  fix:      it fits the argument `context`; write context=...",
    ),
    mistake(
        "EncoderDecoder rank",
        lambda: shapes(both(), TOKENS[0], TOKENS),
        TypeError,
        "EncoderDecoder: argument `tokens` does not fit its signature",
        "  expected: Int[Array, 'batch seq']",
        "  actual:   i32[3]",
        "  fix:      add the batch axis: tokens[None]",
    ),
    mistake(
        "EncoderDecoder source batch",
        lambda: shapes(both(), TOKENS, jnp.zeros((3, 4), jnp.int32)),
        TypeError,
        "EncoderDecoder: argument `source` does not fit its signature",
        (
            "  expected: Int[Array, 'batch in_seq'] | Float[Array, 'batch in_seq in_embed']"
            " | Float[Array, 'batch height width channels'] | None"
        ),
        "  actual:   i32[3,4]",
        "  with:     batch=2, seq=3 (bound by the arguments before it)",
    ),
    mistake(
        "EncoderDecoder reads nothing",
        lambda: EncoderDecoder(encoder=encoder(), decoder=model()),
        ValueError,
        (
            "EncoderDecoder: no layer of decoder.stack reads the source; give its blocks a "
            "cross_attention=CrossAttention(...)."
        ),
    ),
    mistake(
        "override unknown",
        lambda: override(layer(), num_head=3),
        ValueError,
        ("override: no part of TransformerBlock has a field `num_head`; did you mean `num_heads`?"),
    ),
    mistake(
        "replace nothing",
        lambda: replace(layer(), Stack, lambda old: old),
        ValueError,
        (
            "replace: no part of TransformerBlock is a Stack; it has LayerNorm, MLP, "
            "MultiHeadAttention, PreNorm, TransformerBlock."
        ),
    ),
)
