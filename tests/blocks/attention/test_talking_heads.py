"""What talking heads are beside the law that holds them to their formula."""

import chex
import jax
import jax.numpy as jnp
import pytest

from blocks import Auto, Causal, ChunkedAttention, Context, MultiHeadAttention, SoftCap
from blocks.attention import TalkingHeadsAttention


def drawn(block: TalkingHeadsAttention, x: jax.Array) -> dict:
    params = block.init(jax.random.key(0), x)["params"]
    for seed, name in enumerate(("logits_mix", "weights_mix")):
        params[name] = jax.random.normal(jax.random.key(seed), params[name].shape)
    return {"params": params}


def test_fresh_heads_do_not_talk_yet() -> None:
    x = jax.random.normal(jax.random.key(1), (2, 5, 8))
    fields = {"num_heads": 4, "num_kv_heads": 2, "mask": Causal(), "scores": (SoftCap(cap=2.0),)}
    talking, silent = TalkingHeadsAttention(**fields), MultiHeadAttention(**fields)
    variables = talking.init(jax.random.key(0), x)
    params = {k: v for k, v in variables["params"].items() if not k.endswith("_mix")}
    chex.assert_trees_all_close(
        talking.apply(variables, x), silent.apply({"params": params}, x), rtol=1e-6, atol=1e-6
    )


def test_a_token_that_sees_nothing_gets_the_bias_of_the_output_alone() -> None:
    block = TalkingHeadsAttention(num_heads=4, mask=Causal())
    x = jax.random.normal(jax.random.key(1), (1, 4, 8))
    variables = drawn(block, x)
    variables["params"]["out"]["bias"] = jnp.arange(8.0)
    valid = jnp.array([[False, False, True, True]])
    y = block.apply(variables, x, Context(valid=valid))
    chex.assert_trees_all_equal(y[0, :2], jnp.broadcast_to(jnp.arange(8.0), (2, 8)))


@pytest.mark.parametrize("kernel", [ChunkedAttention(), Auto()], ids=repr)
def test_another_kernel_is_refused(kernel: object) -> None:
    with pytest.raises(ValueError, match=r"implementation=(Chunked|Auto).*; leave implementation"):
        TalkingHeadsAttention(num_heads=4, implementation=kernel)
