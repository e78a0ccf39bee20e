"""What blocks compute, written again in numpy float64, one token and one head at a time."""

import math
from typing import Any

import numpy as np

from blocks import (
    MLP,
    AttentionHead,
    Causal,
    CausalLM,
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

Params = dict[str, Any]


def linear(params: Params, x: np.ndarray) -> np.ndarray:
    return x @ params["kernel"] + params.get("bias", 0.0)


def norm(block: Any, params: Params, x: np.ndarray) -> np.ndarray:
    if isinstance(block, LayerNorm):
        x = (x - x.mean()) / math.sqrt(x.var() + block.epsilon)
    else:
        x = x / math.sqrt((x * x).mean() + block.epsilon)
    return x * params.get("scale", 1.0) + params.get("bias", 0.0)


def mlp(block: Any, params: Params, x: np.ndarray) -> np.ndarray:
    up = linear(params["up"], x)
    if isinstance(block, GatedMLP):
        gate = linear(params["gate"], x)
        return linear(params["down"], gate / (1.0 + np.exp(-gate)) * up)
    erf = np.vectorize(math.erf)
    return linear(params["down"], 0.5 * up * (1.0 + erf(up / math.sqrt(2.0))))


def rotated(rope: RoPE, x: np.ndarray, position: int) -> np.ndarray:
    """Pairs of features as complex numbers, turned by multiplication."""
    turning = int(len(x) * rope.fraction)
    half = turning // 2
    out = x.copy()
    for i in range(half):
        a, b = (2 * i, 2 * i + 1) if rope.interleaved else (i, i + half)
        turned = (x[a] + 1j * x[b]) * np.exp(1j * position * rope.theta ** (-2.0 * i / turning))
        out[a], out[b] = turned.real, turned.imag
    return out


def sees(mask: Any, query: int, key: int) -> bool:
    if mask is None:
        return True
    if isinstance(mask, Causal):
        return key <= query
    if isinstance(mask, SlidingWindow):
        return abs(query - key) < mask.window
    return sees(mask.left, query, key) and sees(mask.right, query, key)


def weighted(scores: list[float], values: list[np.ndarray]) -> np.ndarray:
    weights = np.exp(np.array(scores) - max(scores))
    return sum(w * v for w, v in zip(weights / weights.sum(), values, strict=True))


def head(block: AttentionHead, params: Params, x: np.ndarray) -> np.ndarray:
    q, k, v = (linear(params[name], x) for name in ("query", "key", "value"))
    rows = []
    for i in range(len(x)):
        seen = [j for j in range(len(x)) if sees(block.mask, i, j)]
        scores = [float(q[i] @ k[j]) / math.sqrt(block.head_dim) for j in seen]
        rows.append(weighted(scores, [v[j] for j in seen]))
    return np.stack(rows)


def attention(block: MultiHeadAttention, params: Params, x: np.ndarray) -> np.ndarray:
    def project(name: str) -> np.ndarray:
        kernel = params[name]["kernel"]
        return np.einsum("te,ehd->thd", x, kernel) + params[name].get("bias", 0.0)

    q, k, v = project("query"), project("key"), project("value")
    if isinstance(block.position, RoPE):
        for array in (q, k):
            for t, h in np.ndindex(array.shape[:2]):
                array[t, h] = rotated(block.position, array[t, h].copy(), t)
    group = q.shape[1] // k.shape[1]
    scale = 1.0 / math.sqrt(q.shape[2])
    caps = [change for change in block.scores if isinstance(change, SoftCap)]
    for change in block.scores:
        scale = change.factor if isinstance(change, Scale) else scale
    out = np.zeros_like(q)
    for i, h in np.ndindex(q.shape[:2]):
        seen = [j for j in range(len(x)) if sees(block.mask, i, j)]
        scores = [float(q[i, h] @ k[j, h // group]) * scale for j in seen]
        for cap in caps:
            scores = [cap.cap * math.tanh(s / cap.cap) for s in scores]
        out[i, h] = weighted(scores, [v[j, h // group] for j in seen])
    kernel = params["out"]["kernel"]
    return np.einsum("thd,hde->te", out, kernel) + params["out"].get("bias", 0.0)


def block_(block: TransformerBlock, params: Params, x: np.ndarray) -> np.ndarray:
    def normed(name: str, x: np.ndarray) -> np.ndarray:
        return np.stack([norm(block.norm, params[name], row) for row in x])

    sublayers = {
        "attention": lambda h: attention(block.attention, params["attention"], h),
        "mlp": lambda h: np.stack([mlp(block.mlp, params["mlp"], row) for row in h]),
    }
    for name, sublayer in sublayers.items():
        if isinstance(block.residual, PostNorm):
            x = normed(f"{name}_norm", x + sublayer(x))
        else:
            x = x + sublayer(normed(f"{name}_norm", x))
    return x


def stack(block: Stack, params: Params, x: np.ndarray) -> np.ndarray:
    pattern = block.block if isinstance(block.block, tuple) else (block.block,)
    for layer in range(block.depth):
        kind = pattern[layer % len(pattern)]
        if not block.scan:
            own = params[f"layer_{layer}"]
        else:
            name = "layers" if len(pattern) == 1 else f"layers_{layer % len(pattern)}"
            own = take(params[name], layer // len(pattern))
        x = block_(kind, own, x)
    return x


def take(tree: Any, index: int) -> Any:
    if isinstance(tree, dict):
        return {name: take(value, index) for name, value in tree.items()}
    return tree[index]


def add_positions(block: Any, params: Params, x: np.ndarray) -> np.ndarray:
    out = x.copy()
    for t, i in np.ndindex(x.shape):
        if isinstance(block, LearnedPositions):
            out[t, i] += params["embedding"][t, i]
        else:
            angle = t / block.max_wavelength ** (2 * (i // 2) / x.shape[1])
            out[t, i] += math.cos(angle) if i % 2 else math.sin(angle)
    return out


def embedding(block: TokenEmbedding, params: Params, tokens: np.ndarray) -> np.ndarray:
    x = np.stack([params["embedding"][token] for token in tokens])
    if block.position is None:
        return x
    return add_positions(block.position, params.get("position", {}), x)


def lm_head(block: LMHead, params: Params, x: np.ndarray, table: Any = None) -> np.ndarray:
    kernel = table.T if block.tied else params["kernel"]
    return x @ kernel + params.get("bias", 0.0)


def causal_lm(block: CausalLM, params: Params, tokens: np.ndarray) -> np.ndarray:
    x = embedding(block.embed, params["embed"], tokens)
    x = stack(block.stack, params["stack"], x)
    x = np.stack([norm(block.norm, params["norm"], row) for row in x])
    return lm_head(block.head, params.get("head", {}), x, params["embed"]["embedding"])


def reference(block: Any, params: Params, x: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """The block's result for one sequence."""
    if isinstance(block, Linear):
        return np.einsum("te,ehd->thd", x, params["kernel"]) + params["bias"]
    if isinstance(block, (LayerNorm, RMSNorm)):
        return np.stack([norm(block, params, row) for row in x])
    if isinstance(block, (MLP, GatedMLP)):
        return np.stack([mlp(block, params, row) for row in x])
    if isinstance(block, (LearnedPositions, SinusoidalPositions)):
        return add_positions(block, params, x)
    if isinstance(block, LMHead):
        return lm_head(block, params, x, *others)
    kinds = {
        AttentionHead: head,
        MultiHeadAttention: attention,
        TransformerBlock: block_,
        Stack: stack,
        TokenEmbedding: embedding,
        CausalLM: causal_lm,
    }
    return kinds[type(block)](block, params, x)
