"""How long a model takes to trace and to compile, by depth, as a loop and as a scan.

python benchmarks/tracing.py layouts 4 12 48    traces and compiles, layout by layout
python benchmarks/tracing.py presets 4 48       starts training in the layout of the presets
python benchmarks/tracing.py steps 4 12         steps of both layouts, turn by turn
"""

import dataclasses
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from blocks import (
    Causal,
    CausalLM,
    GatedMLP,
    LMHead,
    MultiHeadAttention,
    RMSNorm,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.config import Recipe
from recipes.nanogpt import build_gpt, initial_state, next_token_loss
from recipes.presets import preset
from recipes.runs.steps import trainer_options
from recipes.trainer.loop import Trainer

PRESET = "shakespeare-char-cpu"
TURNS, STEPS = 3, 50


def model(depth: int, scan: bool) -> CausalLM:
    attention = MultiHeadAttention(num_heads=8, num_kv_heads=2, position=RoPE(), mask=Causal())
    layer = TransformerBlock(attention=attention, mlp=GatedMLP(hidden=512), norm=RMSNorm())
    return CausalLM(
        embed=TokenEmbedding(vocab_size=256, features=128),
        stack=Stack(block=layer, depth=depth, scan=scan),
        norm=RMSNorm(),
        head=LMHead(tied=True),
    )


def seconds(function, *args) -> tuple[float, float]:
    """To trace and lower, and to compile."""
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*args)
    traced = time.perf_counter()
    lowered.compile()
    return traced - start, time.perf_counter() - traced


def total(lm: CausalLM, tokens: jax.Array) -> Callable[[Any], jax.Array]:
    def sums(variables: Any) -> jax.Array:
        logits: Any = lm.apply(variables, tokens)
        return logits.sum()

    return sums


def layouts(depths: list[int]) -> None:
    tokens = jnp.zeros((1, 16), jnp.int32)
    print("depth  layout  init: trace compile  gradient: trace compile   (seconds)")
    for depth in depths:
        for scan in (False, True):
            lm = model(depth, scan)
            init = seconds(lm.init, jax.random.key(0), tokens)
            shapes = jax.eval_shape(lm.init, jax.random.key(0), tokens)
            gradient = seconds(jax.grad(total(lm, tokens)), shapes)
            layout = "scan" if scan else "loop"
            row = (*init, *gradient)
            print(f"{depth:5}  {layout:6}" + "".join(f"{value:12.2f}" for value in row))


def trainer_of(depth: int, scan: bool | None) -> tuple[Trainer, Iterator[dict[str, np.ndarray]]]:
    """Trainer of a preset at another depth, and its batches."""
    recipe: Recipe = preset(PRESET)
    sizes = dataclasses.replace(recipe.model, num_layers=depth, scan=scan)
    recipe = dataclasses.replace(recipe, model=sizes)
    lm = build_gpt(sizes)
    settings = dataclasses.replace(recipe.trainer, log_every=STEPS)
    options = trainer_options(recipe, next_token_loss)
    trainer = Trainer(initial_state(recipe, lm), settings=settings, **options)
    draw, vocab_size = np.random.default_rng(0), sizes.vocab_size

    def batches() -> Iterator[dict[str, np.ndarray]]:
        while True:
            shape = (recipe.batch_size, sizes.context + 1)
            tokens = draw.integers(0, vocab_size, shape, np.int32)
            yield {"inputs": tokens[:, :-1], "targets": tokens[:, 1:]}

    return trainer, batches()


def start(depth: int) -> dict[str, float]:
    """Seconds to initialise a preset's state at a depth, and to compile its training."""
    started = time.perf_counter()
    trainer, batches = trainer_of(depth, None)
    jax.block_until_ready(trainer.state)
    initialised = time.perf_counter() - started
    next(trainer.train(batches))
    return {"initialise": initialised, "compile": trainer.compile_seconds}


def presets(depths: list[int]) -> None:
    """Each start in a process of its own, in turns."""
    command = [sys.executable, __file__, "start"]
    found: dict[int, list[float]] = {depth: [] for depth in depths}
    for _ in range(TURNS):
        for depth in depths:
            line = subprocess.check_output([*command, str(depth)], text=True).splitlines()[-1]
            spent = json.loads(line)
            found[depth].append(sum(spent.values()))
            print(f"{depth:5} layers", *(f"{name} {value:.2f} s" for name, value in spent.items()))
    ratios = [deep / few for few, deep in zip(found[depths[0]], found[depths[-1]], strict=True)]
    print(f"{depths[-1]} layers take {told(ratios)} times as long as {depths[0]}")


def steps(depths: list[int]) -> None:
    for depth in depths:
        runs = {}
        for scan in (False, True):
            trainer, batches = trainer_of(depth, scan)
            runs[scan] = trainer, trainer.train(batches)
            next(runs[scan][1])  # compiled
        spent: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(TURNS):
            for scan, (trainer, rows) in runs.items():
                before = trainer.seconds
                for _ in islice(rows, 1):
                    spent[scan].append((trainer.seconds - before) / STEPS * 1e3)
        ratios = [scan / loop for loop, scan in zip(spent[False], spent[True], strict=True)]
        print(
            f"{depth:5} layers  loop {told(spent[False])} ms, scan {told(spent[True])} ms a step, "
            f"ratio {told(ratios)}"
        )


def told(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    depths = [int(word) for word in sys.argv[2:]] or [4, 12, 48]
    match sys.argv[1:2]:
        case ["start"]:
            print(json.dumps(start(*depths)))
        case [("presets" | "steps" | "layouts") as name]:
            {"presets": presets, "steps": steps, "layouts": layouts}[name](depths)
        case _:
            layouts(depths)
