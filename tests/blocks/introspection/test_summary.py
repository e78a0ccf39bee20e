"""What models cost, against formulas worked out on paper."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from blocks import (
    MLP,
    AttentionHead,
    Causal,
    CausalLM,
    ChunkedAttention,
    ConvolutionStem,
    GatedMLP,
    Int8Cache,
    LMHead,
    MixtureOfExperts,
    MultiHeadAttention,
    RMSNorm,
    SoftmaxRouter,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    summary,
)

E, T, H, D, V = 16, 12, 4, 4, 11
X = jax.ShapeDtypeStruct((2, T, E), jnp.float32)
TOKENS = jax.ShapeDtypeStruct((2, T), jnp.int32)
# Order, position, document and whether it is real: 13 bytes of each token in a cache.
PLACE = 13


def attention(**fields: Any) -> MultiHeadAttention:
    return MultiHeadAttention(**{"num_heads": H, "mask": Causal(), "use_bias": False, **fields})


def model(**fields: Any) -> CausalLM:
    layer = TransformerBlock(attention=attention(), mlp=MLP(hidden=32), norm=RMSNorm())
    return CausalLM(
        embed=TokenEmbedding(vocab_size=V, features=E),
        stack=Stack(**{"block": layer, "depth": 6, **fields}),
        norm=RMSNorm(),
        head=LMHead(tied=True),
    )


# The operations of a token: two for each weight of a matrix that it meets; of attention two for
# each feature of each head, with every key for the scores and with every value for their mean.
ATTENDING = 2 * 2 * H * D * T
COSTS = {
    "multi-head": (attention(), 2 * 4 * E * E + ATTENDING, 4 * E * E, 4 * 2 * H * D + PLACE),
    "grouped": (
        attention(num_kv_heads=2),
        2 * (2 * E * E + 2 * E * 2 * D) + ATTENDING,
        2 * E * E + 2 * E * 2 * D,
        4 * 2 * 2 * D + PLACE,
    ),
    "chunked": (
        attention(implementation=ChunkedAttention(query_chunk=4, key_chunk=6)),
        2 * 4 * E * E + ATTENDING,
        4 * E * E,
        4 * 2 * H * D + PLACE,
    ),
    # A byte for each feature, and a step of four bytes for each head of keys and of values.
    "cache of eight bits": (
        attention(cache=Int8Cache()),
        2 * 4 * E * E + ATTENDING,
        4 * E * E,
        2 * H * (D + 4) + PLACE,
    ),
    "bidirectional": (attention(mask=None), 2 * 4 * E * E + ATTENDING, 4 * E * E, 0),
    "mlp": (MLP(hidden=40), 2 * 2 * E * 40, 2 * E * 40 + 40 + E, 0),
    "gated mlp": (GatedMLP(hidden=40), 2 * 3 * E * 40, 3 * E * 40, 0),
    # Two of eight experts, and the router.
    "experts": (
        MixtureOfExperts(
            router=SoftmaxRouter(num_experts=8, top_k=2),
            expert=GatedMLP(hidden=20),
        ),
        2 * 2 * 3 * E * 20 + 2 * E * 8,
        8 * 3 * E * 20 + E * 8,
        0,
    ),
}


@pytest.mark.parametrize("kind", COSTS)
def test_a_block_costs_what_its_formula_says(kind: str) -> None:
    block, flops, parameters, cache_bytes = COSTS[kind]
    whole = summary(block, X)[""]
    assert (whole.flops, whole.parameters, whole.cache_bytes) == (flops, parameters, cache_bytes)


LAYER = 2 * 4 * E * E + ATTENDING + 2 * 2 * E * 32
WAYS = {
    "loop": {},
    "scan": {"scan": True},
    "remat": {"remat": True},
    "shared": {"shared": True},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_model_costs_what_its_parts_do(way: str) -> None:
    costs = summary(model(**WAYS[way]), TOKENS)
    layers = 1 if way == "shared" else 6
    norms = 2 * E
    assert costs["stack.layers"].parameters == layers * (4 * E * E + 2 * E * 32 + 32 + E + norms)
    assert costs["stack.layers"].flops == 6 * LAYER
    assert costs["stack.layers.attention"].cache_bytes == 6 * (4 * 2 * H * D + PLACE)
    # A tied head has no weights of its own, and multiplies with the table.
    assert costs["head"].flops == 2 * E * V
    assert costs["embed"].parameters == V * E
    whole = costs[""]
    assert whole.flops == 6 * LAYER + 2 * E * V
    assert whole.parameters == costs["stack"].parameters + V * E + E


def test_places_of_a_pattern_are_parts_of_their_own() -> None:
    layer = TransformerBlock(attention=attention(), mlp=MLP(hidden=32))
    other = TransformerBlock(attention=attention(), mlp=MLP(hidden=8))
    # Five are no whole repeats: they cannot be scanned.
    for depth, first in ((4, 2), (5, 3)):
        costs = summary(Stack(block=(layer, other), depth=depth), X)
        assert costs["layers_0.mlp"].flops == first * 2 * 2 * E * 32
        assert costs["layers_1.mlp"].flops == 2 * 2 * 2 * E * 8


def test_convolutions_are_work() -> None:
    stem = ConvolutionStem(features=8)
    variables = jax.eval_shape(stem.init, jax.random.key(0), X)
    kernels = [x.size for x in jax.tree.leaves(variables["params"]) if x.ndim == 3]
    # The first keeps the length, the second halves it.
    assert summary(stem, X)[""].flops == 2 * kernels[0] + 2 * kernels[1] / 2


def test_a_large_model_takes_seconds() -> None:
    large = CausalLM(
        embed=TokenEmbedding(vocab_size=128256, features=8192),
        stack=Stack(
            block=TransformerBlock(
                attention=attention(num_heads=64, num_kv_heads=8),
                mlp=GatedMLP(hidden=28672),
                norm=RMSNorm(),
            ),
            depth=80,
        ),
        norm=RMSNorm(),
        head=LMHead(vocab_size=128256),
    )
    start = time.process_time()
    costs = summary(large, jax.ShapeDtypeStruct((1, 8192), jnp.int32))
    assert time.process_time() - start < 15.0
    # The parameters of Llama 3 70B, as its weights have them.
    assert costs[""].parameters == 70_553_706_496
    assert costs[""].cache_bytes == 80 * (4 * 2 * 8 * 128 + PLACE)


def test_prints_as_a_table_in_line() -> None:
    lines = str(summary(model(), TOKENS)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == [
        "part",
        "block",
        "parameters",
        "FLOPs/token",
        "cache",
        "bytes/token",
    ]
    names = [line.split()[0] for line in lines[1:]]
    assert names[:5] == ["model", "embed", "stack", "layers", "attention_norm"]


def test_is_walked_and_asked_as_data() -> None:
    costs = summary(model(), TOKENS)
    attending = [part.path for part in costs if part.block == "MultiHeadAttention"]
    assert attending == ["stack.layers.attention"]
    with pytest.raises(KeyError, match=r"'stack.mlp' is no part; there are .*stack.layers.mlp"):
        costs["stack.mlp"]


def test_a_mistake_is_reported_as_by_the_model_itself() -> None:
    with pytest.raises(TypeError, match=r"argument `x` does not fit its signature"):
        summary(MLP(hidden=3), jax.ShapeDtypeStruct((), jnp.float32))


def test_a_block_that_keeps_no_cache_takes_no_bytes_of_it() -> None:
    block = AttentionHead(head_dim=4, mask=Causal())
    assert summary(block, jax.ShapeDtypeStruct((1, 5, 8), jnp.float32))[""].cache_bytes == 0


WIDE = jnp.ones((1, 2, 8))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: summary(MLP, WIDE), r"MLP is the class; pass a block, MLP\(\.\.\.\)"),
        (lambda: summary(WIDE, MLP(hidden=4)), r"the model comes first: summary\(model, \.\.\.\)"),
        (
            lambda: summary(MLP(hidden=4), (1, 2, 8)),
            r"\(1, 2, 8\) is a shape without a dtype; write jax\.ShapeDtypeStruct\(",
        ),
    ],
    ids=["class", "swapped", "shape"],
)
def test_what_is_no_model_and_no_array_is_refused_in_words(call: Any, words: str) -> None:
    with pytest.raises(TypeError, match=f"^summary: .*{words}"):
        call()
