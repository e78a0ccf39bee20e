"""Which kernel is chosen, why, and that the chosen one is what runs."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from blocks import (
    Auto,
    Causal,
    ChunkedAttention,
    CudnnAttention,
    MultiHeadAttention,
    SoftCap,
    dot_product_attention,
)
from blocks.attention import Modification
from blocks.attention.kernels import BandedAttention, KernelCall, auto, support
from blocks.context import Coordinates

LONG = {"heads": 8, "q_seq": 4096, "kv_seq": 4096, "head_dim": 64}


CAPPED = (SoftCap(cap=2.0),)


def choose(**call: Any) -> tuple[Any, str]:
    return Auto().choose(KernelCall(**{**LONG, **call}))


def test_cudnn_is_chosen_where_it_supports_the_call() -> None:
    kernel, reason = choose(platform="cuda", dtype="bfloat16", mask=Causal())
    assert kernel == CudnnAttention()
    assert reason == "cuDNN supports the call and is the fastest on its GPUs."


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ({"platform": "cpu"}, "the platform cpu, only cuda"),
        ({"platform": "cuda", "dtype": "float32"}, "float32, only bfloat16 and float16"),
        ({"platform": "cuda", "modifications": CAPPED}, "the score modification SoftCap(cap=2.0)"),
        ({"platform": "cuda", "dropout": True}, "dropout of attention weights"),
        ({"platform": "cuda", "sinks": True}, "sinks"),
    ],
    ids=str,
)
def test_many_scores_go_to_chunks_and_the_reason_says_why_not_to_cudnn(
    call: dict[str, Any], why: str
) -> None:
    kernel, reason = choose(**call)
    assert kernel == ChunkedAttention()
    many = 2**19 if call["platform"] == "cpu" else 2**27
    assert reason == (
        f"Too many scores to hold at once: 134217728 scores, many={many}; "
        f"cuDNN does not support {why}."
    )


def test_many_scores_go_to_bands_on_a_cpu_where_bands_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    # 4 heads, bands of 128 queries, 1,024 keys: the 2^19 scores that are held at a time.
    sizes = {"heads": 4, "q_seq": 1024, "kv_seq": 1024, "mask": Causal()}
    kernel, reason = choose(platform="cpu", dropout=True, **sizes)
    assert kernel == BandedAttention()
    assert reason.startswith("Too many scores to hold at once, on a CPU: 4194304 scores, many=")
    others = [{"sinks": True}, {"q_seq": 1025}, {"kv_seq": 1025}, {"heads": 5}]
    for other in others:
        assert choose(**{"platform": "cpu", **sizes, **other})[0] == ChunkedAttention()
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    assert choose(platform="cpu", **sizes)[0] == ChunkedAttention()


def test_few_scores_go_to_the_plain_kernel() -> None:
    kernel, reason = choose(platform="cpu", q_seq=100, kv_seq=100)
    assert kernel is dot_product_attention
    assert reason.startswith("Few enough scores to hold at once: 80000 scores, many=524288; ")


def test_other_devices_hold_more_scores_at_once() -> None:
    sizes = {"heads": 8, "q_seq": 4096, "kv_seq": 4095}
    for platform, kernel in (("cpu", ChunkedAttention()), ("tpu", dot_product_attention)):
        assert choose(platform=platform, **sizes)[0] == kernel


def test_a_single_query_goes_to_the_plain_kernel() -> None:
    kernel, _ = choose(platform="cpu", q_seq=1, kv_seq=2**20)
    assert kernel is dot_product_attention


def test_the_limit_is_a_field() -> None:
    call = KernelCall(heads=2, q_seq=10, kv_seq=10, platform="tpu")
    assert Auto(many=200).choose(call).kernel == ChunkedAttention()
    assert Auto(many=201).choose(call).kernel is dot_product_attention
    with pytest.raises(ValueError, match="many=0 must be at least 1; None is the default"):
        Auto(many=0)


def test_the_platform_is_this_one_where_nothing_else_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auto, "platform", lambda: "cuda")
    assert choose().kernel == CudnnAttention()
    monkeypatch.undo()
    assert support.platform() == jax.default_backend() == "cpu"


def test_the_platform_follows_the_default_device() -> None:
    with jax.default_device(jax.devices("cpu")[0]):
        assert support.platform() == "cpu"
    with jax.default_device("cpu"):
        assert support.platform() == "cpu"


def test_a_block_attends_with_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def recording(self: ChunkedAttention, *arrays: Any, **options: Any) -> jax.Array:
        calls.append(options)
        return dot_product_attention(*arrays, **options)

    monkeypatch.setattr(ChunkedAttention, "__call__", recording)
    block = MultiHeadAttention(
        num_heads=2, mask=Causal(), scores=(SoftCap(cap=2.0),), implementation=Auto(many=32)
    )
    x = jnp.ones((1, 4, 8))
    variables = block.init(jax.random.key(0), x)
    assert len(calls) == 1
    assert calls[0]["mask"] == Causal()
    block.apply(variables, x[:, :3])  # 18 scores
    assert len(calls) == 1


def test_a_call_is_described_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def recording(self: Auto, call: KernelCall) -> Any:
        asked.append(call)
        return auto.Choice(dot_product_attention, "")

    monkeypatch.setattr(Auto, "choose", recording)
    q, k = jnp.ones((3, 5, 4, 8)), jnp.ones((3, 6, 2, 8))
    v = jnp.ones((3, 6, 2, 2), jnp.bfloat16)
    order, valid = jnp.arange(6)[None], jnp.ones((3, 6), bool)
    Auto()(
        q,
        k,
        v,
        Coordinates(order[:, :5], order[:, :5]),
        Coordinates(order, order, valid),
        mask=Causal(),
        modifications=(Modification(SoftCap(cap=2.0)),),
        sinks=jnp.zeros(4),
        dropout_rate=0.5,
        dropout_key=jax.random.key(0),
    )
    assert asked == [
        KernelCall(
            batch=3,
            heads=4,
            q_seq=5,
            kv_seq=6,
            head_dim=8,
            value_dim=2,
            dtype="bfloat16",
            mask=Causal(),
            padded=True,
            modifications=CAPPED,
            sinks=True,
            dropout=True,
            platform="cpu",
        )
    ]
