"""Layers of one stack that keep different caches."""

import chex
import jax
import jax.numpy as jnp
from drawn_by_numpy import drawn_variables

from blocks import (
    MLP,
    Causal,
    CausalLM,
    Context,
    KeyValueCache,
    LMHead,
    MultiHeadAttention,
    RingCache,
    RoPE,
    SlidingWindow,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.attention.caches import Cache
from blocks.attention.masks import Mask


def test_five_local_layers_and_a_global_one() -> None:
    def layer(mask: Mask, cache: Cache) -> TransformerBlock:
        attention = MultiHeadAttention(num_heads=4, position=RoPE(), mask=mask, cache=cache)
        return TransformerBlock(attention=attention, mlp=MLP(hidden=8))

    local = layer(Causal() & SlidingWindow(2), RingCache())
    model = CausalLM(
        embed=TokenEmbedding(vocab_size=11, features=8),
        stack=Stack(block=(*[local] * 5, layer(Causal(), KeyValueCache())), depth=6, scan=True),
        norm=None,
        head=LMHead(tied=True),
    )
    tokens = jax.random.randint(jax.random.key(3), (2, 11), 0, 11)
    variables = drawn_variables(model, tokens)
    call = jax.jit(lambda v, t: model.apply(v, t, Context(cache_size=11), mutable="cache"))
    first, cache = call(variables, tokens[:, :9])
    kept = cache["cache"]["stack"]
    slots = [kept[f"layers_{i}"]["attention"]["key_value"].keys.shape[2] for i in range(6)]
    assert slots == [2, 2, 2, 2, 2, 11]
    outputs = [first]
    for t in (9, 10):
        out, cache = call({**variables, **cache}, tokens[:, t : t + 1])
        outputs.append(out)
    whole = jax.jit(model.apply)(variables, tokens)
    chex.assert_trees_all_close(jnp.concatenate(outputs, 1), whole, rtol=1e-4, atol=1e-4)
