"""The report of a run: one page with its numbers, curves, samples, settings and environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recipes.runs.chart import Line, chart
from recipes.runs.escaping import escaped
from recipes.runs.folder import RunFolder
from recipes.runs.history import History
from recipes.runs.page import facts, flattened, page, table_of
from recipes.trainer.progress import duration

SAMPLES = 12
LOSS = "loss, nats per token"


def name_of(folder: RunFolder) -> str:
    """Name of a run: that of its folder."""
    return folder.path.absolute().name or str(folder.path)


def loss_curve(title: str, history: History) -> str:
    """Draw training and validation loss."""
    best = history.best()
    note = f", best {best[1]:.4g}" if best else ""
    lines = [
        Line("training", history.series("train_loss"), color=1, faint=True),
        Line(f"validation{note}", history.series("val_loss"), marks=True),
    ]
    return chart(lines, title=title, unit=LOSS)


def report(folder: RunFolder, history: History, parameters: int | None = None) -> str:
    """Write the page of a run.

    Args:
        folder: Folder of the run.
        history: Its metrics.
        parameters: Number of parameters, where it is known.

    Raises:
        RecipeError: Its settings or the record of its environment are damaged.
    """
    settings, environment = folder.read_config(), folder.read_env()
    name = name_of(folder)
    return page(
        name,
        [
            f'<p class="quiet">{escaped(_about(settings))}</p>',
            facts(_facts(settings, history, parameters)),
            f'<div class="card">{loss_curve("Loss", history)}</div>',
            *_curves(history),
            *_samples(folder.path / "samples", history),
            "<h2>Checkpoints kept</h2>",
            table_of(_checkpoints(folder, history)),
            "<h2>Settings</h2>",
            _tables(settings),
            "<h2>Environment</h2>",
            _tables(environment),
        ],
    )


def _about(settings: Mapping[str, Any]) -> str:
    model = settings.get("model", {})
    sizes = {"num_layers": "layers", "num_heads": "heads", "features": "features"}
    said = [f"{model[name]} {word}" for name, word in sizes.items() if name in model]
    if origin := settings.get("init_from"):
        said = [f"from {origin}"]
    data = flattened({"data": settings.get("data")})["data"]
    return ", ".join([*said, f"context {model.get('context')}, on {data}"])


def _facts(
    settings: Mapping[str, Any], history: History, parameters: int | None
) -> Iterator[tuple[str, str, str]]:
    end = settings.get("trainer", {}).get("max_steps", history.last_step)
    yield "step", f"{history.last_step:,}", f"of {end:,}"
    if best := history.best():
        yield "best validation loss", f"{best[1]:.4f}", f"at step {best[0]:,}"
    else:
        yield "best validation loss", "—", "not evaluated yet"
    if (loss := history.last("train_loss")) is not None:
        yield "last training loss", f"{loss:.4f}", ""
    if rate := history.tokens_per_second():
        yield "tokens per second", f"{rate:,.0f}", f"{history.last('tokens'):,.0f} in all"
    if share := history.last("mfu"):
        yield (
            "model FLOPs utilisation",
            f"{100 * share:.1f} %",
            "of the devices' arithmetic, last row",
        )
    if seconds := history.last("seconds"):
        yield "training time", duration(seconds), "without compiling"
    if parameters is not None:
        yield "parameters", f"{parameters:,}", ""


def _curves(history: History) -> Iterator[str]:
    norms, rates = history.series("grad_norm"), history.throughput()
    for title, series, unit in (
        ("Throughput", rates, "tokens per second"),
        ("Gradient norm", norms, "norm before clipping"),
    ):
        if len(series.finite().steps):
            lines = [Line("", series, color=2 if series is rates else 3, faint=True)]
            drawn = chart(lines, title=title, unit=unit, height=240, from_zero=series is rates)
            yield f'<div class="card">{drawn}</div>'


def _samples(folder: Path, history: History) -> Iterator[str]:
    """The first sample, the last one, which is open, and some between."""
    found = sorted((step, path) for path in folder.glob("step_*.txt") if (step := _step(path.stem)))
    if not found:
        return
    yield "<h2>Samples</h2>"
    count = min(SAMPLES, len(found))
    shown = [found[round(place * (len(found) - 1) / max(count - 1, 1))] for place in range(count)]
    if count < len(found):
        yield f'<p class="quiet">{count} of {len(found)}; the others are in samples/.</p>'
    losses = history.series("val_loss").by_step()
    for step, path in reversed(shown):
        loss = f", validation loss {losses[step]:.4f}" if step in losses else ""
        text = path.read_text(encoding="utf-8", errors="replace")
        yield (
            f"<details{' open' if step == shown[-1][0] else ''}><summary>step {step:,}{loss}"
            f"</summary><pre>{escaped(text)}</pre></details>"
        )


def _checkpoints(folder: RunFolder, history: History) -> dict[str, str]:
    """Steps that have a checkpoint, with what each is kept for."""
    steps = sorted(step for path in folder.checkpoints.glob("step_*") if (step := _step(path.name)))
    if not steps:
        return {"none": "not saved yet"}
    from recipes.trainer.checkpoints import Checkpoints

    losses, best = history.series("val_loss").by_step(), Checkpoints(folder.checkpoints).best()
    said = {}
    for step in steps:
        notes = ["the last"] * (step == steps[-1])
        notes += ["the best"] * (step == best and step in losses)
        loss = [f"validation loss {losses[step]:.4f}"] if step in losses else []
        said[f"step {step:,}"] = "; ".join([*loss, *notes]) or "the one before"
    return said


def _tables(content: Mapping[str, Any]) -> str:
    """One table of the values at the top, and one of each table below."""
    plain = {name: value for name, value in content.items() if not isinstance(value, dict)}
    tables = [table_of(flattened(plain))] if plain else []
    for name, value in content.items():
        if isinstance(value, dict):
            tables.append(table_of(flattened(value), caption=name))
    return f'<div class="tables">{"".join(tables)}</div>'


def _step(name: str) -> int | None:
    found = re.fullmatch(r"step_(\d+)", name)
    return int(found[1]) if found else None
