"""What stands in the slots of attention: masks, transforms, score modifications, sinks."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from laws.case import SEQ
from laws.families.positions import rotated
from laws.references import Params, reference

from blocks import (
    ALiBi,
    Bidirectional,
    Causal,
    ChunkedLocal,
    FullWidthQKNorm,
    LearnedSinks,
    OutputGate,
    Prefix,
    QKNorm,
    RelativeBias,
    RoPE,
    SharedRelativeBias,
    SlidingWindow,
    SoftCap,
    ValueEmbedding,
    ValueResidual,
)
from blocks.attention import BlockSparse, ClipQK, ClipValue
from blocks.attention.masks import Dilated, Or
from blocks.positions import GridBias, GridRoPE, QueryTemperature, RotaryValues, SharedGridBias


@functools.singledispatch
def sees(mask: Any, query: int, key: int) -> bool:
    """Whether the token at `query` may see the one at `key`."""
    return sees(mask.left, query, key) and sees(mask.right, query, key)


@sees.register
def _(mask: None, query: int, key: int) -> bool:
    return True


@sees.register
def _(mask: Causal, query: int, key: int) -> bool:
    return key <= query


@sees.register
def _(mask: Or, query: int, key: int) -> bool:
    return sees(mask.left, query, key) or sees(mask.right, query, key)


@sees.register
def _(mask: Bidirectional, query: int, key: int) -> bool:
    return True


@sees.register
def _(mask: SlidingWindow, query: int, key: int) -> bool:
    return abs(query - key) < mask.window


@sees.register
def _(mask: ChunkedLocal, query: int, key: int) -> bool:
    return query // mask.size == key // mask.size


@sees.register
def _(mask: Dilated, query: int, key: int) -> bool:
    return (query - key) % mask.step == 0


@sees.register
def _(mask: Prefix, query: int, key: int) -> bool:
    return key < mask.length


@functools.singledispatch
def transformed(transform: Any, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    """Queries or keys, `name` says which, after a transform."""
    raise TypeError(f"{type(transform).__name__} has no reference: register one here.")


@transformed.register
def _(transform: RoPE, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    return np.stack([[rotated(transform, h, t) for h in token] for t, token in enumerate(x)])


@transformed.register
def _(transform: GridRoPE, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    """Features as complex numbers, those of the first quarter turned by rows."""
    quarter = x.shape[-1] // 4
    out = x.copy()
    cells = np.ndindex(transform.rows, transform.columns)
    for t, (row, column) in enumerate(cells, start=transform.extra_tokens):
        places = (2 * row + 1) / transform.rows - 1, (2 * column + 1) / transform.columns - 1
        for axis, i in np.ndindex(2, quarter):
            first, second = axis * quarter + i, (axis + 2) * quarter + i
            angle = 2 * math.pi * places[axis] / transform.theta ** (i / quarter)
            turned = (x[t, :, first] + 1j * x[t, :, second]) * np.exp(1j * angle)
            out[t, :, first], out[t, :, second] = turned.real, turned.imag
    return out


@transformed.register
def _(transform: QueryTemperature, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    if name == "key":
        return x
    steps = [(t + 1) // transform.interval for t in range(len(x))]
    return np.stack(
        [(1.0 + transform.scale * math.log(1 + n)) * h for n, h in zip(steps, x, strict=True)]
    )


@transformed.register
def _(transform: ClipQK, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(x, -transform.limit), transform.limit)


@transformed.register
def _(transform: QKNorm, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    if transform.shared:
        return np.stack([reference(transform.norm, params[name], token) for token in x])
    heads = [
        reference(transform.norm, {leaf: each[head] for leaf, each in params[name].items()}, one)
        for head, one in enumerate(np.moveaxis(x, 1, 0))
    ]
    return np.stack(heads, axis=1)


@transformed.register
def _(transform: FullWidthQKNorm, params: Params, name: str, x: np.ndarray) -> np.ndarray:
    rows = reference(transform.norm, params[name], x.reshape(len(x), -1))
    return rows.reshape(x.shape)


# What the layers of one call share, as `Context` does for the blocks.
CALL: dict[str, Any] = {}


@functools.singledispatch
def revalued(transform: Any, params: Params, v: np.ndarray) -> np.ndarray:
    """Values after a transform."""
    raise TypeError(f"{type(transform).__name__} has no reference: register one here.")


@revalued.register
def _(transform: ClipValue, params: Params, v: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(v, -transform.limit), transform.limit)


@revalued.register
def _(transform: RotaryValues, params: Params, v: np.ndarray) -> np.ndarray:
    return np.stack([[rotated(transform.rope, h, t) for h in token] for t, token in enumerate(v)])


@revalued.register
def _(transform: ValueResidual, params: Params, v: np.ndarray) -> np.ndarray:
    if "first_value" not in CALL:
        CALL["first_value"] = v
        return v
    return params["own"] * v + params["first"] * CALL["first_value"]


@revalued.register
def _(transform: ValueEmbedding, params: Params, v: np.ndarray) -> np.ndarray:
    own = np.stack([params["embedding"][token] for token in CALL["tokens"]])
    return params["own"] * v + params["token"] * own


@functools.singledispatch
def regated(transform: Any, params: Params, heads: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What the heads give after a transform."""
    raise TypeError(f"{type(transform).__name__} has no reference: register one here.")


@regated.register
def _(transform: OutputGate, params: Params, heads: np.ndarray, x: np.ndarray) -> np.ndarray:
    own = params["projection"]
    gate = np.einsum("te,ehd->thd", x, own["kernel"]) + own.get("bias", 0.0)
    return heads / (1.0 + np.exp(-gate))


@functools.singledispatch
def rescored(
    change: Any, params: Params, score: float, query: int, key: int, head: int, heads: int
) -> float:
    """One score after a change; positions of query and key, number of the head among all."""
    raise TypeError(f"{type(change).__name__} has no reference: register one here.")


@rescored.register
def _(change: SoftCap, params: Params, score: float, *where: int) -> float:
    return change.cap * math.tanh(score / change.cap)


@rescored.register
def _(
    change: ALiBi, params: Params, score: float, query: int, key: int, head: int, heads: int
) -> float:
    # Heads are a power of two here.
    return score - abs(query - key) / 2 ** (8 * (head + 1) / heads)


@rescored.register
def _(
    change: RelativeBias, params: Params, score: float, query: int, key: int, *rest: int
) -> float:
    if isinstance(change, SharedRelativeBias):
        params = CALL.setdefault("relative_bias", params)
    if not change.bidirectional:
        exact, distance = change.num_buckets // 2, max(query - key, 0)
        octaves = math.log(max(distance, 1) / exact) / math.log(change.max_distance / exact)
        far = min(exact + int(octaves * exact), change.num_buckets - 1)
        return score + params["bias"][distance if distance < exact else far][rest[0]]
    half, distance = change.num_buckets // 2, abs(key - query)
    exact = half // 2
    if distance < exact:
        bucket = distance
    else:
        octaves = math.log(distance / exact) / math.log(change.max_distance / exact)
        bucket = min(exact + int(octaves * (half - exact)), half - 1)
    return score + params["bias"][bucket + half * (key > query)][rest[0]]


@rescored.register
def _(change: BlockSparse, params: Params, score: float, query: int, key: int, *rest: int) -> float:
    mine, theirs, last = (at // change.size for at in (query, key, SEQ - 1))
    if mine in (0, last):
        return score
    if theirs == 0:
        return score + math.log(1 + change.repeats)
    return score if theirs in (mine - 1, mine, mine + 1, last) else -1e9


@rescored.register
def _(change: GridBias, params: Params, score: float, query: int, key: int, *rest: int) -> float:
    """Offsets are counted from the upper left one; extra tokens have the last three numbers."""
    if isinstance(change, SharedGridBias):
        params = CALL.setdefault("grid_bias", params)
    (q, k), table = (at - change.extra_tokens for at in (query, key)), params["bias"]
    if min(q, k) < 0:
        return score + table[-1 if max(q, k) < 0 else -3 if q < 0 else -2][rest[0]]
    down = q // change.columns - k // change.columns + change.rows - 1
    along = q % change.columns - k % change.columns + change.columns - 1
    return score + table[down * (2 * change.columns - 1) + along][rest[0]]


def weighted(
    scores: list[float], values: list[np.ndarray], sinks: Sequence[float] = ()
) -> np.ndarray:
    highest = max((*scores, *sinks))
    total = sum(math.exp(score - highest) for score in (*scores, *sinks))
    return sum(math.exp(s - highest) / total * v for s, v in zip(scores, values, strict=True))


def sinks_of(block: Any, params: Params, head: int) -> list[float]:
    """The logits without a value that join the softmax of a head."""
    if block.sinks is None:
        return []
    return [params["sinks"]["sinks"][head] if isinstance(block.sinks, LearnedSinks) else 0.0]
