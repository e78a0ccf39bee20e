"""What cuDNN's kernel refuses, and what it is handed, with XLA standing in for it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import (
    Causal,
    CudnnAttention,
    LearnedSinks,
    MultiHeadAttention,
    SlidingWindow,
    SoftCap,
    dot_product_attention,
)
from blocks.attention.kernels import KernelCall, cudnn
from blocks.attention.kernels.cudnn import fused_attention
from blocks.attention.kernels.support import require
from blocks.context import Coordinates


def at(seq: int, **fields: Any) -> Coordinates:
    order = jnp.arange(seq)[None]
    return Coordinates(order, order, **fields)


def handed(monkeypatch: pytest.MonkeyPatch, *where: Coordinates, **options: Any) -> dict[str, Any]:
    """What `jax.nn.dot_product_attention` gets."""
    got = {}

    def recording(query: jax.Array, key: jax.Array, value: jax.Array, **options: Any) -> jax.Array:
        got.update(options)
        return query

    monkeypatch.setattr(jax.nn, "dot_product_attention", recording)
    x = jnp.ones((2, 4, 2, 8))
    fused_attention(x, x, x, *where, **options)
    return got


def test_it_asks_for_cudnn_and_passes_the_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    got = handed(monkeypatch, at(4), at(4), scale=0.5)
    assert got == {"mask": None, "scale": 0.5, "is_causal": False, "implementation": "cudnn"}


def test_causal_within_one_call_needs_no_array(monkeypatch: pytest.MonkeyPatch) -> None:
    same = at(4)
    got = handed(monkeypatch, same, same, mask=Causal())
    assert got["is_causal"]
    assert got["mask"] is None


def test_what_stands_beside_causal_becomes_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    same = at(4, valid=jnp.array([[True] * 4, [True, True, True, False]]))
    got = handed(monkeypatch, same, same, mask=SlidingWindow(2) & Causal())
    assert got["is_causal"]
    distance = np.abs(np.arange(4)[:, None] - np.arange(4))
    want = (distance < 2)[None, None] & np.asarray(same.valid)[:, None, None]
    np.testing.assert_array_equal(got["mask"], want)


@pytest.mark.parametrize("mask", [Causal() | SlidingWindow(2), ~Causal()], ids=str)
def test_causal_in_another_combination_is_no_causal_mode(
    monkeypatch: pytest.MonkeyPatch, mask: Any
) -> None:
    same = at(4)
    got = handed(monkeypatch, same, same, mask=mask)
    assert not got["is_causal"]
    np.testing.assert_array_equal(got["mask"], mask(same, same))


def test_queries_on_a_cache_have_no_causal_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    # Equal lengths, but nothing says that query i is key i.
    got = handed(monkeypatch, at(4), at(4), mask=Causal())
    assert not got["is_causal"]
    np.testing.assert_array_equal(got["mask"][0, 0], np.tril(np.ones((4, 4), bool)))


def test_a_row_that_sees_nothing_is_zero_with_finite_gradients() -> None:
    same = at(4, valid=jnp.array([[False, True, True, True], [False] * 4]))
    x = jax.random.normal(jax.random.key(0), (2, 4, 2, 8))

    def gradient(kernel: Any, **options: Any) -> tuple[jax.Array, jax.Array]:
        def total(x: jax.Array) -> tuple[jax.Array, jax.Array]:
            out = kernel(x, x, x, same, same, mask=Causal(), **options)
            return jnp.square(out).sum(), out

        return jax.jit(jax.grad(total, has_aux=True))(x)

    got, out = gradient(fused_attention, implementation="xla")
    want, _ = gradient(dot_product_attention)
    assert not out[0, 0].any()
    assert not out[1].any()
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


KNOWN = {
    "scores": ({"scores": (SoftCap(cap=2.0),)}, r"the score modification SoftCap\(cap=2\.0\)"),
    "sinks": ({"sinks": LearnedSinks()}, "sinks"),
    "dropout": ({"dropout_rate": 0.1}, "dropout of attention weights"),
    "dtype": ({"dtype": jnp.float32}, "float32, only bfloat16 and float16"),
    "multiple": ({"head_dim": 20}, "head_dim=20, which is no multiple of 8"),
    "limit": ({"head_dim": 264}, "head_dim=264, which is above 256"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_can_be_known_is_refused_at_construction(name: str) -> None:
    fields, words = KNOWN[name]
    match = (
        rf"implementation=CudnnAttention\(\) does not support {words}; "
        r"use ChunkedAttention\(\) or dot_product_attention, or Auto\(\), which chooses\."
    )
    with pytest.raises(ValueError, match=match):
        MultiHeadAttention(num_heads=2, implementation=CudnnAttention(), **fields)


def test_what_it_supports_is_constructed() -> None:
    block = MultiHeadAttention(
        num_heads=8,
        num_kv_heads=2,
        head_dim=64,
        mask=Causal() & SlidingWindow(16),
        scale=0.1,
        implementation=CudnnAttention(),
        dtype=jnp.bfloat16,
    )
    assert block.implementation == CudnnAttention()


def test_another_platform_is_refused_at_the_first_call() -> None:
    block = MultiHeadAttention(num_heads=2, implementation=CudnnAttention(), dtype=jnp.bfloat16)
    with pytest.raises(ValueError, match="does not support the platform cpu, only cuda; use"):
        block.init(jax.random.key(0), jnp.ones((1, 4, 16)))


CALLS = {
    "odd": (
        {"q_seq": 7, "kv_seq": 7, "mask": SlidingWindow(2)},
        r"an odd length, 7, under mask=SlidingWindow\(window=2\)",
    ),
    "padding": (
        {"q_seq": 8, "kv_seq": 9, "mask": Causal(), "padded": True},
        "an odd length, 9, with padding or documents",
    ),
    "value": (
        {"head_dim": 64, "value_dim": 32},
        "values of another width than keys, 32 and 64",
    ),
    "dtype": ({"dtype": "float32"}, "float32, only bfloat16 and float16"),
    "platform": ({"platform": "rocm"}, "the platform rocm, only cuda"),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_a_call_shows_is_refused_then(name: str) -> None:
    call, words = CALLS[name]
    with pytest.raises(ValueError, match=rf"does not support {words}; use"):
        require(CudnnAttention(), KernelCall(**call))


def test_odd_lengths_are_fine_where_no_array_is_made() -> None:
    require(CudnnAttention(), KernelCall(q_seq=7, kv_seq=7, mask=Causal()))
    require(CudnnAttention(), KernelCall(q_seq=7, kv_seq=7))


@pytest.mark.parametrize(("capability", "limit"), [("8.0", 128), ("9.0", 256), ("10.0", 256)])
def test_older_gpus_take_narrower_heads(
    monkeypatch: pytest.MonkeyPatch, capability: str, limit: int
) -> None:
    class Device:
        compute_capability = capability

    monkeypatch.setattr(cudnn, "platform", lambda: "cuda")
    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    assert CudnnAttention().support.head_dim_limit == limit
