"""Layers and models: residual layouts, transformer blocks, stacks, language models."""

import jax
import jax.numpy as jnp
import numpy as np
from laws.case import EMBED, VOCAB, Case, tokens, vectors
from laws.families.attention import MHA, attention
from laws.families.residual import layout
from laws.families.slots import CALL
from laws.references import Params, reference, take

from blocks import (
    MLP,
    Causal,
    CausalLM,
    CrossAttention,
    Encoder,
    EncoderDecoder,
    GatedMLP,
    LayerNorm,
    LearnedPositions,
    LMHead,
    PostNorm,
    RMSNorm,
    RoPE,
    SlidingWindow,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    find,
)
from blocks.residual import X0Mix

GPT_BLOCK = TransformerBlock(
    attention=attention(dropout_rate=0.3), mlp=MLP(hidden=16, dropout_rate=0.3), dropout_rate=0.3
)
LOCAL = TransformerBlock(
    attention=attention(position=RoPE(), mask=Causal() & SlidingWindow(2), use_bias=False),
    mlp=GatedMLP(hidden=12),
    norm=RMSNorm(),
)
POST = TransformerBlock(attention=attention(), mlp=MLP(hidden=16), residual=PostNorm())
GPT = CausalLM(
    embed=TokenEmbedding(
        vocab_size=VOCAB,
        features=EMBED,
        position=LearnedPositions(max_length=32),
        dropout_rate=0.3,
    ),
    stack=Stack(block=GPT_BLOCK, depth=2),
    norm=LayerNorm(),
    head=LMHead(tied=True),
)
LLAMA = CausalLM(
    embed=TokenEmbedding(vocab_size=VOCAB, features=EMBED),
    stack=Stack(block=(LOCAL, POST), depth=4, scan=True),
    norm=RMSNorm(),
    head=LMHead(vocab_size=VOCAB, use_bias=True),
)

READER = TransformerBlock(
    attention=attention(use_bias=False),
    cross_attention=CrossAttention(num_heads=2, use_bias=False),
    mlp=MLP(hidden=4, use_bias=False),
    norm=RMSNorm(),
)
ENCODER = Encoder(
    embed=None,
    stack=Stack(
        block=TransformerBlock(
            attention=attention(mask=None, use_bias=False),
            mlp=MLP(hidden=4, use_bias=False),
            norm=RMSNorm(),
        ),
        depth=1,
    ),
    norm=RMSNorm(),
)
TRANSLATOR = EncoderDecoder(
    encoder=ENCODER,
    decoder=CausalLM(
        embed=TokenEmbedding(vocab_size=VOCAB, features=EMBED),
        stack=Stack(block=READER, depth=1),
        norm=RMSNorm(),
        head=LMHead(tied=True),
    ),
)


def with_source(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    source = jnp.array([[3, 1, 4, 1]])
    return (*tokens(key, batch, seq), jnp.broadcast_to(source, (batch, 4)))


E, V = EMBED, VOCAB
PRE = MHA + (2 * 16 * E + 16 + E) + 2 * 2 * E
ENCODED = 4 * E * E + 2 * 4 * E + 3 * E
READING = 8 * E * E + 2 * 4 * E + 3 * E
GATED = 4 * E * E + 3 * 12 * E + 2 * E

CASES = [
    Case("block", GPT_BLOCK, vectors, PRE, mixes=True, caches=True),
    Case("block_post_norm", POST, vectors, PRE, mixes=True, caches=True, heavy=True),
    Case("stack", Stack(block=GPT_BLOCK, depth=3), vectors, 3 * PRE, mixes=True, caches=True),
    Case(
        "stack_scanned",
        Stack(block=(LOCAL, POST), depth=4, scan=True, remat=True),
        vectors,
        2 * GATED + 2 * PRE,
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "gpt",
        GPT,
        tokens,
        V * E + 32 * E + 2 * PRE + 2 * E,
        argument="tokens",
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "llama",
        LLAMA,
        tokens,
        V * E + 2 * GATED + 2 * PRE + E + E * V + V,
        argument="tokens",
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "stack_shared",
        Stack(block=GPT_BLOCK, depth=3, shared=True),
        vectors,
        PRE,
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case(
        "stack_reading",
        Stack(block=READER, depth=2, scan=True),
        vectors,
        2 * READING,
        mixes=True,
        caches=True,
        memory=4,
        heavy=True,
    ),
    Case("encoder", ENCODER, vectors, ENCODED, argument="inputs", mixes=True),
    Case(
        "encoder_decoder",
        TRANSLATOR,
        with_source,
        V * E + ENCODED + READING + E,
        argument="tokens",
        heavy=True,
    ),
]


@reference.register
def _(block: TransformerBlock, params: Params, x: np.ndarray, *memory: np.ndarray) -> np.ndarray:
    sublayers = {"attention": lambda h: reference(block.attention, params["attention"], h)}
    if block.cross_attention is not None:
        sublayers["cross_attention"] = lambda h: reference(
            block.cross_attention, params["cross_attention"], h, *memory
        )
    sublayers["mlp"] = lambda h: reference(block.mlp, params["mlp"], h)
    return layout(
        block.residual,
        params.get("residual", {}),
        x,
        sublayers,
        lambda name, h: reference(block.norm, params[name], h),
        *memory,
    )


@reference.register
def _(block: Stack, params: Params, x: np.ndarray, *memory: np.ndarray) -> np.ndarray:
    pattern = block.block if isinstance(block.block, tuple) else (block.block,)
    for left in ("first_value", "relative_bias", "grid_bias"):
        CALL.pop(left, None)
    for layer in range(block.depth):
        if block.shared:
            own = params["layers"]
        elif not block.scan:
            own = params[f"layer_{layer}"]
        else:
            name = "layers" if len(pattern) == 1 else f"layers_{layer % len(pattern)}"
            own = take(params[name], layer // len(pattern))
        x = reference(pattern[layer % len(pattern)], own, x, *memory)
    return x


@reference.register
def _(block: CausalLM, params: Params, tokens: np.ndarray, *memory: np.ndarray) -> np.ndarray:
    x = reference(block.embed, params["embed"], tokens)
    CALL["tokens"] = tokens
    first = (x,) if find(block, X0Mix) else ()
    x = reference(block.stack, params["stack"], x, *memory, *first)
    x = reference(block.norm, params["norm"], x)
    return reference(block.head, params.get("head", {}), x, params["embed"]["embedding"])


@reference.register
def _(block: Encoder, params: Params, x: np.ndarray) -> np.ndarray:
    x = x if block.embed is None else reference(block.embed, params["embed"], x)
    x = reference(block.stack, params["stack"], x)
    return x if block.norm is None else reference(block.norm, params["norm"], x)


@reference.register
def _(block: EncoderDecoder, params: Params, tokens: np.ndarray, source: np.ndarray) -> np.ndarray:
    shared = reference(block.decoder.embed, params["decoder"]["embed"], source[0].astype(int))
    memory = reference(block.encoder, params["encoder"], shared)
    return reference(block.decoder, params["decoder"], tokens, memory)
