"""The table of kernels and options in the docs says what the kernels declare."""

import re
from pathlib import Path

import pytest

from blocks import (
    Auto,
    Causal,
    ChunkedAttention,
    CudnnAttention,
    SlidingWindow,
    SoftCap,
    dot_product_attention,
)
from blocks.attention.kernels import BandedAttention, KernelCall, support_of

PAGE = Path(__file__).parents[2] / "docs" / "blocks" / "attention" / "kernels.md"
KERNELS = {
    "dot_product_attention": dot_product_attention,
    "ChunkedAttention": ChunkedAttention(),
    "BandedAttention": BandedAttention(),
    "CudnnAttention": CudnnAttention(),
}
# The calls that a row of the table is about: yes means that each is supported, no that none is.
CALLS = {
    "grouped and multi query": [KernelCall(heads=8)],
    "any mask, padding, documents": [
        KernelCall(mask=~Causal()),
        KernelCall(padded=True, q_seq=4, kv_seq=6),
    ],
    "any mask, padding, documents at an odd length": [
        KernelCall(mask=SlidingWindow(3), q_seq=7, kv_seq=8),
        KernelCall(mask=Causal() & SlidingWindow(3), q_seq=8, kv_seq=7),
        KernelCall(mask=Causal(), padded=True, q_seq=7, kv_seq=7),
    ],
    "`Causal()` at an odd length": [KernelCall(mask=Causal(), q_seq=7, kv_seq=7)],
    "any scale": [KernelCall()],
    "score modifications, as `SoftCap`": [KernelCall(modifications=(SoftCap(cap=2.0),))],
    "sinks": [KernelCall(sinks=True)],
    "attention dropout": [KernelCall(dropout=True)],
    "values of another width than keys": [KernelCall(head_dim=64, value_dim=128)],
    "heads wider than 256": [KernelCall(head_dim=264)],
    "heads no multiple of 8 wide": [KernelCall(head_dim=60)],
    "float32": [KernelCall(dtype="float32")],
    "bfloat16, float16": [KernelCall(dtype="bfloat16"), KernelCall(dtype="float16")],
    "CPU, TPU, AMD GPU": [KernelCall(platform=name) for name in ("cpu", "tpu", "rocm")],
    "NVIDIA GPU": [KernelCall(platform="cuda")],
}


def table() -> dict[str, dict[str, str]]:
    """The cells of the page by option and kernel."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| option |"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:]]
    head = [re.sub("`", "", cell) for cell in rows[0][1:]]
    body = rows[2 : next(i for i, row in enumerate(rows) if row == [""])]
    return {row[0]: dict(zip(head, row[1:], strict=True)) for row in body}


def test_the_table_has_every_kernel_and_every_option() -> None:
    assert list(table()) == list(CALLS)
    assert all(list(row) == list(KERNELS) for row in table().values())


@pytest.mark.parametrize("option", CALLS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_cell_says_what_the_kernel_declares(option: str, kernel: str) -> None:
    refusals = [support_of(KERNELS[kernel]).refusal(call) for call in CALLS[option]]
    if table()[option][kernel] == "yes":
        assert refusals == [None] * len(refusals)
    else:
        assert table()[option][kernel] == "no"
        assert None not in refusals


@pytest.mark.parametrize("option", CALLS)
def test_what_an_error_says_to_use_instead_supports_everything(option: str) -> None:
    for kernel in (ChunkedAttention(), dot_product_attention, Auto()):
        assert all(support_of(kernel).refusal(call) is None for call in CALLS[option])
