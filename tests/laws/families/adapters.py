"""Adapters: blocks whose kernels are changed by a product of low rank."""

from typing import Any

import numpy as np
from laws.case import EMBED, Case, vectors
from laws.families.attention import attention
from laws.references import Params, reference

from blocks import MLP, Linear, LoRA, Plain, RoPE, Stack, TransformerBlock

E = EMBED
GROUPED = attention(num_kv_heads=2, position=RoPE(), dropout_rate=0.3)
ADAPTED = LoRA(block=GROUPED, rank=2, alpha=3.0, targets=("query", "value", "out"))
LAYER = TransformerBlock(
    attention=LoRA(block=attention(), rank=2),
    mlp=LoRA(block=MLP(hidden=4), rank=1, targets=("up", "down")),
)
GROUPED_SIZE = 2 * E * E + 2 * E * 4 + 2 * E + 2 * 4
LAYER_SIZE = 4 * E * E + 4 * E + (2 * 4 * E + 4 + E) + 2 * 2 * E

CASES = [
    Case(
        "lora",
        ADAPTED,
        vectors,
        GROUPED_SIZE + 2 * ((E + E) + (E + 4) + (E + E)),
        mixes=True,
        caches=True,
    ),
    Case(
        "stack_lora",
        Stack(block=LAYER, depth=2, scan=True, remat=True),
        vectors,
        2 * (LAYER_SIZE + 2 * 2 * (E + E) + 2 * (E + 4)),
        mixes=True,
        caches=True,
        heavy=True,
    ),
    Case("plain", Plain(block=Linear(features=(E,))), vectors, E * E + E),
]


def changed(block: LoRA, params: Any) -> Any:
    if not isinstance(params, dict):
        return params
    if "lora_a" in params:
        change = np.tensordot(params["lora_a"], params["lora_b"], axes=1)
        return {**params, "kernel": params["kernel"] + block.alpha / block.rank * change}
    return {name: changed(block, below) for name, below in params.items()}


@reference.register
def _(block: LoRA, params: Params, x: np.ndarray) -> np.ndarray:
    return reference(block.block, changed(block, params), x)


@reference.register
def _(block: Plain, params: Params, x: np.ndarray) -> np.ndarray:
    dense = params["block"]
    return x @ dense["kernel"] + dense["bias"]
