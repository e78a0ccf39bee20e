"""Time of 8 experts of which each token uses 2, against computing all 8 for every token.

Both sides compute the same numbers from the same parameters, forward and backward. They take turns,
and the ratio is taken turn by turn.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from blocks import GatedMLP, MixtureOfExperts, SoftmaxRouter

LIMIT = 0.4


def dense(mixture: MixtureOfExperts, variables: dict, x: jax.Array) -> jax.Array:
    """The same mixture with every expert computed for every token."""
    own = variables["params"]
    routing = mixture.router.apply({"params": own["router"]}, x)
    matrices = {name: own["experts"][name]["kernel"] for name in ("gate", "up", "down")}
    weights = jnp.zeros((len(x), mixture.router.num_experts))
    weights = weights.at[jnp.arange(len(x))[:, None], routing.experts].set(routing.weights)

    def add(total: jax.Array, expert: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        gate, up, down, weight = expert
        return total + weight[:, None] * ((jax.nn.silu(x @ gate) * (x @ up)) @ down), None

    experts = (matrices["gate"], matrices["up"], matrices["down"], weights.T)
    return jax.lax.scan(add, jnp.zeros_like(x), experts)[0]


def seconds(function: Callable[..., jax.Array], *arguments: object) -> float:
    started = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--embed", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    mixture = MixtureOfExperts(
        router=SoftmaxRouter(num_experts=8, top_k=2),
        expert=GatedMLP(hidden=options.hidden),
    )
    x = jax.random.normal(jax.random.key(0), (options.tokens, options.embed))
    variables = mixture.init(jax.random.key(1), x)
    sides = {"sparse": mixture.apply, "dense": lambda v, x: dense(mixture, v, x)}
    outputs = {name: jax.jit(side) for name, side in sides.items()}
    gradients = {
        name: jax.jit(jax.grad(lambda v, x, side=side: jnp.square(side(v, x)).mean()))
        for name, side in sides.items()
    }
    gap = jnp.abs(outputs["sparse"](variables, x) - outputs["dense"](variables, x)).max()
    print(f"largest difference of the results: {gap:.1e}")
    good = bool(gap < 1e-5)
    for what, functions in {"forward": outputs, "forward and backward": gradients}.items():
        for function in functions.values():
            seconds(function, variables, x)
        turns = [
            {name: seconds(function, variables, x) for name, function in functions.items()}
            for _ in range(options.turns)
        ]
        ratios = sorted(turn["sparse"] / turn["dense"] for turn in turns)
        ratio = statistics.median(ratios)
        times = {name: statistics.median(turn[name] for turn in turns) for name in functions}
        print(
            f"{what}: sparse {times['sparse']:.3f} s, dense {times['dense']:.3f} s, "
            f"ratio {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
        good = good and ratio <= LIMIT
    print(f"{'Within' if good else 'NOT within'} {LIMIT:.0%} of dense, with the same output.")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
