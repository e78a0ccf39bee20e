"""What multi-head attention refuses, and in which words."""

import jax
import jax.numpy as jnp
import pytest

from blocks import MultiHeadAttention

X = jnp.ones((2, 5, 8))


@pytest.mark.parametrize("name", ["num_heads", "num_kv_heads", "head_dim"])
@pytest.mark.parametrize("size", [0, -2])
def test_a_size_below_one_is_refused(name: str, size: int) -> None:
    with pytest.raises(ValueError, match=rf"{name}={size} must be at least 1\."):
        MultiHeadAttention(**{"num_heads": 4, name: size})


def test_key_heads_that_do_not_divide_are_refused() -> None:
    match = r"num_kv_heads=4 must divide num_heads=6; use 1, 2, 3 or 6\."
    with pytest.raises(ValueError, match=match):
        MultiHeadAttention(num_heads=6, num_kv_heads=4)
    match = r"num_kv_heads=2 must divide num_heads=1; use 1\."
    with pytest.raises(ValueError, match=match):
        MultiHeadAttention(num_heads=1, num_kv_heads=2)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    match = r"num_heads=3 must divide embed=8; use 1, 2, 4 or 8, or give head_dim\."
    with pytest.raises(ValueError, match=match):
        MultiHeadAttention(num_heads=3).init(jax.random.key(0), X)


@pytest.mark.parametrize("rate", [1.0, -0.1])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=f"dropout_rate={rate} must be at least 0 and below 1"):
        MultiHeadAttention(num_heads=2, dropout_rate=rate)


def test_a_wrong_rank_and_dtype_are_refused() -> None:
    block = MultiHeadAttention(num_heads=4)
    variables = block.init(jax.random.key(0), X)
    match = r"MultiHeadAttention: argument `x`.*\n.*batch seq embed.*\n  actual:   f32\[5,8\]"
    with pytest.raises(TypeError, match=match):
        block.apply(variables, X[0])
    with pytest.raises(TypeError, match=r"argument `x`.*\n.*Float.*\n  actual:   i32\[2,5,8\]"):
        block.apply(variables, X.astype(jnp.int32))
