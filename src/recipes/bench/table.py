"""A benchmark's figures as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recipes.bench.figures import Figures, Spread

# More of the cores than this taken by other programs makes the figures worth little.
BUSY = 0.05


def table(figures: Figures) -> str:
    """Write the figures of a preset, a line each; in brackets the least and the most."""
    return "\n".join(_lines(figures))


def _lines(figures: Figures) -> Iterator[str]:
    machine, training = figures.machine, figures.training
    of = f"{machine.devices} x {machine.device}, {machine.cores} cores"
    yield f"{figures.preset} in {training.dtype}, {of}, JAX {machine.versions['jax']}\n"
    start = f"initialise {training.initialise_seconds:.2f} s, compile "
    start += f"{training.compile_seconds:.2f} s, most memory {_gigabytes(training.memory_bytes)}"
    yield f"{'start':<10}{start}"
    limit = f"{training.mfu(machine):.0%} of {machine.product_flops / 1e9:,.0f} GFLOP/s"
    steps = f"{_told(training.steps_per_second)} steps/s"
    yield f"{'training':<10}{steps}, {training.tokens_per_second:,.0f} tokens/s, {limit}"
    for drawn in figures.decoding:
        sizes = f"{drawn.batch} x {drawn.prompt}"
        yield f"{'prefill':<10}{sizes:<10}{_told(drawn.prefill)} tokens/s"
    for drawn in figures.decoding:
        sizes = f"{drawn.batch} x {drawn.tokens}"
        share = f"{drawn.bandwidth_share(machine):.0%} of {machine.read_bytes / 1e9:,.1f} GB/s"
        yield f"{'decode':<10}{sizes:<10}{_told(drawn.decode)} tokens/s, {share}"
    if machine.elsewhere is not None and machine.elsewhere > BUSY:
        yield f"\nOther programs took {machine.elsewhere:.0%} of the cores; measure again without."


def _told(spread: Spread) -> str:
    return f"{_number(spread.median)} ({_number(spread.least)} to {_number(spread.most)})"


def _gigabytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e9:.2f} GB"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


HEADS = (
    "preset",
    "training",
    "tokens/s",
    "of products",
    "compile",
    "memory",
    "decode",
    "of reading",
)


def markdown(all_figures: Iterable[Figures]) -> str:
    """Write the figures of several presets as a table of a page, a line each."""
    lines = [f"| {' | '.join(HEADS)} |", "| --- " * len(HEADS) + "|"]
    for figures in all_figures:
        machine, training, first = figures.machine, figures.training, figures.decoding[0]
        cells = (
            f"`{figures.preset}`, {training.dtype}, JAX {machine.versions['jax']}",
            f"{_told(training.steps_per_second)} steps/s",
            f"{training.tokens_per_second:,.0f}",
            f"{training.mfu(machine):.0%} of {machine.product_flops / 1e9:,.0f} GFLOP/s",
            f"{training.compile_seconds:.1f} s",
            _gigabytes(training.memory_bytes),
            f"{_told(first.decode)} tokens/s",
            f"{first.bandwidth_share(machine):.0%} of {machine.read_bytes / 1e9:,.1f} GB/s",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
