"""What a user's terminal shows: their own line, then the message; the switch shows the rest."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable

import pytest

BEGIN = """
import jax, jax.numpy as jnp
from blocks import MLP, Causal, Context, LoRA, MultiHeadAttention, RoPE, SlidingWindow
from blocks import Stack, TokenEmbedding, TransformerBlock, replace
from blocks.residual import HyperConnections, Streams

x = jnp.ones((2, 3, 8))
block = TransformerBlock(attention=MultiHeadAttention(num_heads=2), mlp=MLP(hidden=4))
shapes = jax.eval_shape(lambda: block.init(jax.random.key(0), x))
variables = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

def odd(block):
    return replace(block, MultiHeadAttention, lambda old: MultiHeadAttention(num_heads=3))

layer = TransformerBlock(
    attention=MultiHeadAttention(num_heads=2),
    mlp=MLP(hidden=4),
    residual=HyperConnections(num_streams=2),
)
stack = Stack(block=layer, depth=2)

def loss(variables, x):
    return block.apply(variables, x).sum()

def run(name, call):
    import traceback
    try:
        call()
    except Exception:
        print("###", name, traceback.format_exc(), sep="\\n")
"""
CALLS = {
    "apply": "block.apply(variables, x[0])",
    "init": "block.init(jax.random.key(0), x[0])",
    "jit": "jax.jit(block.apply)(variables, x[0])",
    "grad": "jax.grad(loss)(variables, x[0])",
    "parameters": "loss(variables, x[..., :4])",
    "values": "MultiHeadAttention(num_heads=3).init(jax.random.key(0), x)",
    "scan": "Stack(block=block, depth=2, scan=True).init(jax.random.key(0), x[0])",
    "field": 'MLP(hidden="4")',
    "contradiction": "MultiHeadAttention(num_heads=0)",
    "mask": "SlidingWindow(0)",
    "truth of a mask": "Causal() and Causal()",
    "context": "Context(cache_size=0)",
    "streams": "Streams(stack=stack).init(jax.random.key(0), x[0])",
    "inside streams": "Streams(stack=odd(stack)).init(jax.random.key(0), x)",
    "adapter": "LoRA(block=block).init(jax.random.key(0), x[0])",
    "inside an adapter": "LoRA(block=odd(block)).init(jax.random.key(0), x)",
    "target": 'LoRA(block=block, targets=("up_",)).init(jax.random.key(0), x)',
    "recomputed": "Stack(block=odd(block), depth=2, remat=True).init(jax.random.key(0), x)",
    "variables second": "block.apply(x, variables)",
    "key second": "block.init(x, jax.random.key(0))",
    "place": "TokenEmbedding(vocab_size=5, features=8, position=RoPE())",
    "surgery": "replace(block, Stack, lambda old: old)",
}


def tracebacks(names: Iterable[str], **environment: str) -> dict[str, list[str]]:
    """What each call prints, in one process: the lines of its traceback."""
    runs = "\n".join(f"run({name!r}, lambda: {CALLS[name]})" for name in names)
    printed = subprocess.run(
        [sys.executable, "-c", "exec(compile(open(0).read(), 'script.py', 'exec'))"],
        input=textwrap.dedent(BEGIN) + runs,
        env={**os.environ, "JAX_PLATFORMS": "cpu", **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    parts = printed.split("###\n")[1:]
    return {part.splitlines()[0]: part.splitlines()[1:] for part in parts}


@pytest.fixture(scope="module")
def shortened() -> dict[str, list[str]]:
    return tracebacks(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_a_traceback_ends_in_the_users_line(name: str, shortened: dict[str, list[str]]) -> None:
    frames = [line for line in shortened[name] if line.startswith("  File ")]
    assert frames, shortened[name]
    # `run` and the lambda that it calls; `loss` where the call goes through it.
    assert all('"script.py"' in frame for frame in frames), frames


def test_the_switch_shows_everything() -> None:
    names = ("apply", "jit", "field", "context")
    for name, lines in tracebacks(names, JAX_TRACEBACK_FILTERING="off").items():
        assert any("/blocks/" in line for line in lines if line.startswith("  File ")), name
