"""The list of blocks that every law is tested on: a new block joins here, or a test says so."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks import (
    MLP,
    AttentionHead,
    Causal,
    CausalLM,
    Context,
    GatedMLP,
    LayerNorm,
    LearnedPositions,
    Linear,
    LMHead,
    MultiHeadAttention,
    PostNorm,
    RMSNorm,
    RoPE,
    Scale,
    SinusoidalPositions,
    SlidingWindow,
    SoftCap,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)

BATCH, SEQ, EMBED, VOCAB = 2, 6, 8, 11


@dataclasses.dataclass(frozen=True)
class Case:
    """One block with what it is called on.

    Attributes:
        name: of the case.
        block: a value of the block.
        inputs: makes its array arguments from a key, a batch and a length.
        parameters: their number, counted by hand from the formula in the docs.
        argument: name of the first argument, which errors have to name.
        shared: takes `(context, deterministic)` after its arrays.
        mixes: mixes tokens, and so has to do with masks.
        caches: decodes token by token.
    """

    name: str
    block: nn.Module
    inputs: Callable[[jax.Array, int, int], tuple[jax.Array, ...]]
    parameters: int
    argument: str = "x"
    shared: bool = True
    mixes: bool = False
    caches: bool = False

    def arguments(self, seed: int = 0, batch: int = BATCH, seq: int = SEQ) -> tuple[Any, ...]:
        """Arrays to call the block on."""
        return self.inputs(jax.random.key(seed), batch, seq)

    def init(self, *arguments: Any) -> Any:
        """Its variables, with every bias and scale away from its trivial start."""
        return _init(self, *arguments)

    def __str__(self) -> str:
        return self.name


@functools.partial(jax.jit, static_argnums=0)
def _init(case: Case, *arguments: Any) -> Any:
    variables = case.block.init(jax.random.key(7), *arguments)
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(8), max(len(leaves), 1))
    noisy = [
        leaf + 0.3 * jax.random.normal(key, leaf.shape, leaf.dtype)
        for leaf, key in zip(leaves, keys, strict=False)
    ]
    return jax.tree.unflatten(tree, noisy)


def vectors(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (jax.random.normal(key, (batch, seq, EMBED)),)


def placed(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (*vectors(key, batch, seq), jnp.arange(seq)[None])


def tokens(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (jax.random.randint(key, (batch, seq), 0, VOCAB),)


def with_table(key: jax.Array, batch: int, seq: int) -> tuple[jax.Array, ...]:
    return (*vectors(key, batch, seq), jax.random.normal(key, (VOCAB, EMBED)))


def attention(**fields: Any) -> MultiHeadAttention:
    return MultiHeadAttention(**{"num_heads": 4, "mask": Causal(), **fields})


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

E, V = EMBED, VOCAB
MHA = 4 * E * E + 4 * E
PRE = (MHA) + (2 * 16 * E + 16 + E) + 2 * 2 * E
GATED = 4 * E * E + 3 * 12 * E + 2 * E

CASES = [
    Case("linear", Linear(features=(3, 2)), vectors, E * 6 + 6, shared=False),
    Case("layer_norm", LayerNorm(), vectors, 2 * E, shared=False),
    Case("layer_norm_bare", LayerNorm(use_scale=False, use_bias=False), vectors, 0, shared=False),
    Case("rms_norm", RMSNorm(), vectors, E, shared=False),
    Case("mlp", MLP(hidden=16, dropout_rate=0.3), vectors, 2 * 16 * E + 16 + E),
    Case("gated_mlp", GatedMLP(hidden=12, dropout_rate=0.3), vectors, 3 * 12 * E),
    Case("learned_positions", LearnedPositions(max_length=32), placed, 32 * E, shared=False),
    Case("sinusoidal_positions", SinusoidalPositions(), placed, 0, shared=False),
    Case("head", AttentionHead(head_dim=3), vectors, 3 * 3 * E, mixes=True),
    Case(
        "head_causal",
        AttentionHead(head_dim=3, mask=Causal(), use_bias=True, dropout_rate=0.3),
        vectors,
        3 * 3 * E + 9,
        mixes=True,
    ),
    Case("attention", attention(mask=None), vectors, MHA, mixes=True),
    Case("attention_causal", attention(dropout_rate=0.3), vectors, MHA, mixes=True, caches=True),
    Case(
        "attention_grouped",
        attention(num_kv_heads=2, position=RoPE(), mask=Causal() & SlidingWindow(3)),
        vectors,
        2 * E * E + 2 * E * 4 + 2 * E + 2 * 4,
        mixes=True,
        caches=True,
    ),
    Case(
        "attention_multi_query",
        attention(
            num_kv_heads=1,
            head_dim=6,
            position=RoPE(fraction=0.7, interleaved=True),
            scores=(Scale(factor=0.5), SoftCap(cap=2.0)),
            use_bias=False,
        ),
        vectors,
        2 * E * 24 + 2 * E * 6,
        mixes=True,
        caches=True,
    ),
    Case("block", GPT_BLOCK, vectors, PRE, mixes=True, caches=True),
    Case("block_post_norm", POST, vectors, PRE, mixes=True, caches=True),
    Case("stack", Stack(block=GPT_BLOCK, depth=3), vectors, 3 * PRE, mixes=True, caches=True),
    Case(
        "stack_scanned",
        Stack(block=(LOCAL, POST), depth=4, scan=True, remat=True),
        vectors,
        2 * GATED + 2 * PRE,
        mixes=True,
        caches=True,
    ),
    Case(
        "embedding",
        TokenEmbedding(vocab_size=V, features=E, position=SinusoidalPositions(), dropout_rate=0.3),
        tokens,
        V * E,
        argument="tokens",
    ),
    Case("head_tied", LMHead(tied=True), with_table, 0, shared=False),
    Case("head_own", LMHead(vocab_size=V, use_bias=True), vectors, E * V + V, shared=False),
    Case(
        "gpt",
        GPT,
        tokens,
        V * E + 32 * E + 2 * PRE + 2 * E,
        argument="tokens",
        mixes=True,
        caches=True,
    ),
    Case(
        "llama",
        LLAMA,
        tokens,
        V * E + 2 * GATED + 2 * PRE + E + E * V + V,
        argument="tokens",
        mixes=True,
        caches=True,
    ),
]


def run(
    case: Case, variables: Any, arguments: tuple[Any, ...], *shared: Any, **options: Any
) -> Any:
    """Calls a block on its arrays and, where it takes them, context and determinism."""
    return case.block.apply(variables, *arguments, *(shared if case.shared else ()), **options)


@functools.partial(jax.jit, static_argnames=("case", "deterministic", "mutable"))
def jitted(
    case: Case,
    variables: Any,
    arguments: tuple[Any, ...],
    context: Context | None = None,
    deterministic: bool = True,
    key: jax.Array | None = None,
    mutable: tuple[str, ...] = (),
) -> Any:
    """The same compiled, as users run it, and as keeps the laws fast."""
    rngs = None if key is None else {"dropout": key}
    options = {"rngs": rngs, "mutable": list(mutable) if mutable else False}
    return run(case, variables, arguments, context, deterministic, **options)
