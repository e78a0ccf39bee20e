"""A GPT in a race: from a text file to a validation loss, against the clock.

    python -m recipes.speedrun --data FILE --target 1.886

It prints the loss on the validation split and the seconds since the process started, and exits
with 1 where the loss is above the target. On Tiny Shakespeare, nanoGPT's README reports 1.88 for a
CPU and 1.4697 for its larger model on a GPU. The first is an estimate from 20 batches; over the
whole split that model ends at 1.89 to 1.91. Windows are of 512 characters in the second race, where
nanoGPT's are of 256: the first characters of a window, which have little before them, weigh less.

Read it from top to bottom: model, optimiser, race. The settings are in `recipes.races.settings`;
`benchmarks/ablations.py` takes the parts out one by one.

References:
    Karpathy, nanoGPT, 2022 (the losses and the splits).
    Jordan et al., modded-nanogpt, 2024, github.com/KellerJordan/modded-nanogpt (most of the parts).
"""

if __name__ == "__main__":  # The command line answers `--help` before JAX is imported.
    from recipes.races.line import options

    options(__doc__)

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from blocks import (
    MLP,
    Auto,
    Causal,
    CausalLM,
    LMHead,
    MultiHeadAttention,
    QKNorm,
    RMSNorm,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    override,
)
from blocks.core.initializers import VarianceScaling
from blocks.embeddings import BigramHash
from blocks.mlp import squared_relu
from blocks.residual import Canon, X0Mix
from recipes.errors import RecipeError
from recipes.races.line import options, seconds_since_start
from recipes.races.settings import RACES, Race, Rates
from recipes.races.texts import check_lengths, evaluation_parts, read, spread_starts
from recipes.races.triples import TripleHash
from recipes.trainer.muon import matrix_axes, orthogonal_steps, polar_coefficients

Arrays = dict[str, jax.Array]

MOST_STEPS = 120  # In one compiled loop; longer races go in parts, so that Ctrl-C is answered.


def build_gpt(race: Race, vocab_size: int) -> CausalLM:
    """Build the model as a value: parts in their places, without weights."""
    zeros, init = jax.nn.initializers.zeros, VarianceScaling(distribution="uniform")
    norm = RMSNorm(use_scale=False)
    layer = TransformerBlock(
        attention=MultiHeadAttention(
            num_heads=race.num_heads,
            qk=(QKNorm(norm=norm),),
            position=RoPE(theta=1000.0),
            mask=Causal(),
            # The shorter race has fewer scores: another kernel would take longer to compile.
            implementation=Auto(many=2**20),
            use_bias=False,
            dropout_rate=race.dropout_rate,
            kernel_init=init,
            out_kernel_init=zeros,
        ),
        mlp=MLP(
            hidden=4 * race.width,
            activation=squared_relu,
            use_bias=False,
            kernel_init=init,
            out_kernel_init=zeros,
        ),
        norm=norm,
        residual=X0Mix(residual=Canon(sublayers=("mlp",))),
        dropout_rate=race.dropout_rate,
    )
    tables = (BigramHash(num_buckets=race.pair_buckets, features=race.width),)
    if race.triple_buckets is not None:
        tables += (TripleHash(num_buckets=race.triple_buckets, features=race.width),)
    model = CausalLM(
        embed=TokenEmbedding(
            vocab_size=vocab_size,
            features=race.width,
            added=tables,
            embedding_norm=norm,
            dropout_rate=race.dropout_rate,
        ),
        stack=Stack(block=layer, depth=race.num_layers),
        norm=norm,
        head=LMHead(vocab_size=vocab_size, logit_cap=15.0, kernel_init=zeros),
    )
    return model if race.dtype is None else override(model, dtype=race.dtype)


class State(NamedTuple):
    """Parameters by name, and the optimiser's means of gradients and of their squares."""

    params: Arrays
    means: Arrays
    squares: Arrays


def group(name: str, rank: int) -> str:
    """The group of a parameter, which is a field of `Rates`."""
    if matrix_axes(name, rank):
        return "matrices"
    if name.endswith("embedding"):
        return "tables"
    return "head" if name == "head.kernel" else "scalars"


def schedule(rates: Rates, steps: int) -> dict[str, np.ndarray]:
    """Compute the values of every step: the rate of each group, and Muon's momentum."""
    step = np.arange(steps)
    falling = np.minimum(1.0, (steps - step) / max(1.0, rates.cooldown * steps))
    low, high = rates.momentum
    groups = ("matrices", "tables", "head", "scalars")
    now = {name: getattr(rates, name) * falling for name in groups}
    now |= {"momentum": low + (high - low) * np.minimum(1.0, step / (0.2 * steps))}
    now |= {"decay": np.full(steps, rates.decay), "count": step + 1}
    return {name: values.astype(np.float32) for name, values in now.items()}


def update(state: State, gradients: Arrays, now: Arrays, rates: Rates) -> State:
    """Take one step: Muon for the matrices of layers, Adam for the others."""
    params, means, squares = (dict(part) for part in state)
    b1, b2 = rates.betas
    ahead = {}
    for name, gradient in gradients.items():
        rate = now[group(name, gradient.ndim)]
        if matrix_axes(name, gradient.ndim):
            params[name] *= 1.0 - rate * now["decay"]
            if rates.iterations:
                means[name] += (1.0 - now["momentum"]) * (gradient - means[name])
                ahead[name] = gradient + now["momentum"] * (means[name] - gradient)  # Nesterov's
                continue
        means[name] += (1.0 - b1) * (gradient - means[name])
        squares[name] += (1.0 - b2) * (jnp.square(gradient) - squares[name])
        mean = means[name] / (1.0 - b1 ** now["count"])
        square = squares[name] / (1.0 - b2 ** now["count"])
        params[name] -= rate * mean / (jnp.sqrt(square) + 1e-10)
    for name, step in orthogonal_steps(ahead, polar_coefficients(rates.iterations)).items():
        params[name] -= now["matrices"] * step
    return State(params, means, squares)


def draw(shapes: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw first values on the host: a program that does would take a second to compile.

    They are distributed as the model's initialisers say. What these set to a constant is left out.
    """
    drawn = {}
    for name, leaf in shapes.items():
        kind = group(name, leaf.ndim)
        if kind == "tables":
            drawn[name] = rng.normal(0.0, 0.02, leaf.shape).astype(np.float32)
        elif kind == "matrices" and name.split(".")[-2] not in ("out", "down"):
            reach = (3.0 / leaf.shape[0]) ** 0.5  # Uniform, of variance 1 / inputs.
            drawn[name] = rng.uniform(-reach, reach, leaf.shape).astype(np.float32)
    return drawn


def losses(model: Any, params: Arrays, windows: Any, key: jax.Array | None = None) -> jax.Array:
    """The loss in nats of every token of windows but their first; with a key, dropout is on."""
    variables, windows = {"params": unflatten_dict(params, sep=".")}, windows.astype(jnp.int32)
    rngs = None if key is None else {"dropout": key}
    logits = model.apply(variables, windows[:, :-1], deterministic=key is None, rngs=rngs)
    # Compared, not looked up: the gradient of a look-up is a scatter.
    hits = windows[:, 1:, None] == jnp.arange(logits.shape[-1])[None, None]
    return jax.nn.logsumexp(logits, axis=-1) - jnp.where(hits, logits, 0.0).sum(axis=-1)


def steps_at_once(steps: int) -> int:
    """How many steps one compiled loop takes: every part of a race has the same number."""
    return max(size for size in range(1, MOST_STEPS + 1) if steps % size == 0)


class Result(NamedTuple):
    """Result of a race.

    Attributes:
        loss: Loss on the held-out text, in nats.
        curve: Loss of each step's batch before the step.
        params: Parameters by name.
        compiling: Seconds until the first step.
    """

    loss: float
    curve: np.ndarray
    params: Arrays
    compiling: float


def run(race: Race, text: np.ndarray, held_out: np.ndarray, seed: int, model: Any = None) -> Result:
    """Train a model, `build_gpt` unless another is given, and measure it on a held-out text.

    Raises:
        RecipeError: A text that is too short.
    """
    check_lengths(text, held_out, race.context)
    started, vocab_size = time.monotonic(), int(max(text.max(), held_out.max())) + 1
    model = build_gpt(race, vocab_size) if model is None else model
    # The windows and rates of every step, before the first one.
    shape, rng = (race.steps, race.batch_size), np.random.default_rng(seed)
    starts = spread_starts(len(text) - race.context, shape, rng)
    planned = (starts, schedule(race.rates, race.steps))
    offsets = np.arange(race.context + 1, dtype=np.int32)

    def initial() -> Any:
        variables = model.init(jax.random.key(0), jnp.zeros((1, 1), jnp.int32))
        return flatten_dict(variables["params"], sep=".")

    def create(drawn: Arrays) -> State:
        params = initial() | drawn
        zeros = jax.tree.map(jnp.zeros_like, params)
        return State(params, zeros, zeros)

    def step(text: jax.Array, state: State, now: Any) -> tuple[State, jax.Array]:
        starts, rates = now
        windows = text[starts[:, None] + offsets[None]]
        key = jax.random.fold_in(jax.random.key(seed), rates["count"].astype(jnp.int32))
        mean = jax.value_and_grad(lambda params: losses(model, params, windows, key).mean())
        loss, gradients = mean(state.params)
        return update(state, gradients, rates, race.rates), loss

    def advance(state: State, text: jax.Array, planned: Any) -> Any:
        return jax.lax.scan(lambda *each: step(text, *each), state, planned)

    def evaluate(params: Arrays, parts: Any) -> jax.Array:
        summed = jax.lax.map(lambda part: (losses(model, params, part[0]) * part[1]).sum(), parts)
        return summed.sum() / parts[1].sum()

    parts = evaluation_parts(held_out, race.context, rows=max(1, 2048 // race.context))
    size = steps_at_once(race.steps)

    def part(at: int) -> Any:
        return jax.tree.map(lambda each: each[at : at + size], planned)

    drawn = draw(jax.eval_shape(initial), rng)
    state = jax.eval_shape(create, drawn)

    def compiled(function: Any, *arguments: Any, **kept: Any) -> Any:
        return jax.jit(function, **kept).lower(*arguments).compile()

    with ThreadPoolExecutor() as pool:  # One program leaves cores idle while it is compiled.
        advancing = pool.submit(compiled, advance, state, text, part(0), donate_argnums=0)
        creating = pool.submit(compiled, create, drawn)
        evaluating = pool.submit(compiled, evaluate, state.params, parts)  # while steps run
        state, steps, curve = creating.result()(drawn), advancing.result(), []
        compiling = time.monotonic() - started
        for at in range(0, race.steps, size):
            state, means = steps(state, text, part(at))
            curve.append(np.asarray(means))
        loss = float(evaluating.result()(state.params, parts))
    return Result(loss, np.concatenate(curve), state.params, compiling)


def main(chosen: argparse.Namespace) -> int:
    """Run the shortest race whose loss is low enough; return the exit code."""
    race = next((race for race in RACES if race.target <= chosen.target), RACES[-1])
    try:
        train, validation = read(chosen.data)
        result = run(race, train, validation, chosen.seed)
    except RecipeError as error:
        print(f"error: --data {chosen.data}: {error}", file=sys.stderr)
        return 2
    loss, compiling = result.loss, result.compiling
    verdict = "reached" if loss <= chosen.target else "missed"
    print(f"validation loss {loss:.4f}: {chosen.target} {verdict}, seed {chosen.seed}")
    print(f"{seconds_since_start():.2f} s since start, {compiling:.2f} s of them compiling")
    return 0 if loss <= chosen.target else 1


if __name__ == "__main__":
    raise SystemExit(main(options(__doc__)))
