"""What each part of `recipes.speedrun` is worth: the race without it, in loss and seconds.

    python benchmarks/ablations.py --data FILE

Every variant has the race's steps, and the same batches for the same seed. It trains on nine tenths
of the training split and is measured on the last tenth of it: the validation split stays unread.
`--page FILE` writes the table into a page, between the lines that mark its place.
"""

import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import tyro

from blocks import (
    LearnedPositions,
    LMHead,
    MultiHeadAttention,
    TokenEmbedding,
    TransformerBlock,
    ValueEmbedding,
    gelu,
    override,
)
from blocks.residual import Canon, Residual, X0Mix
from recipes.races.settings import RACES, Race
from recipes.races.texts import read
from recipes.speedrun import build_gpt, run

Variant = tuple[Race, Callable[[Any], Any]]
# AdamW's rate for the matrices of layers, searched for like the others.
ADAM_RATE = 0.003
FIRST, LAST = "<!-- ablations -->", "<!-- end of ablations -->"


@dataclass(frozen=True)
class Ablations:
    """What is measured.

    Attributes:
        data: The text.
        target: Which race: the one for this loss.
        seeds: Runs of each variant.
        only: Variants by name; all if left out.
        timed: Show seconds too, which mean something on a quiet machine only.
        out: File for the results, as JSON.
        page: Page to write the table into.
    """

    data: Path
    target: float = 1.886
    seeds: int = 3
    only: tuple[str, ...] = ()
    timed: bool = True
    out: Path | None = None
    page: Path | None = None


def variants(race: Race) -> dict[str, Variant]:
    """The race, and the race without each of its parts."""

    def same(model: Any) -> Any:
        return model

    def with_rates(**rates: Any) -> Race:
        return replace(race, rates=replace(race.rates, **rates))

    def attention(**fields: Any) -> Callable[[Any], Any]:
        return lambda model: override(model, MultiHeadAttention, **fields)

    def residual(layout: Residual) -> Callable[[Any], Any]:
        return lambda model: override(model, TransformerBlock, residual=layout)

    def positions(model: Any) -> Any:
        model = override(model, MultiHeadAttention, position=None)
        return override(model, TokenEmbedding, position=LearnedPositions(max_length=race.context))

    def tables(count: int) -> Callable[[Any], Any]:
        return lambda model: override(model, TokenEmbedding, added=model.embed.added[:count])

    def values(model: Any) -> Any:
        table = ValueEmbedding(vocab_size=model.head.vocab_size)
        return override(model, MultiHeadAttention, values=(table,))

    without = {
        "no table of triples": (race, tables(1)),
        "no table of pairs nor of triples": (race, tables(0)),
    }
    if race.triple_buckets is None:
        without = {"no table of pairs": (race, tables(0))}
    if race.dropout_rate:
        without["no dropout"] = (race, lambda model: override(model, dropout_rate=0.0))
    return {
        "all of it": (race, same),
        "AdamW for Muon": (with_rates(iterations=0, matrices=ADAM_RATE, decay=0.1), same),
        **without,
        "no cool-down": (with_rates(cooldown=0.0), same),
        "momentum from the start": (with_rates(momentum=race.rates.momentum[1:] * 2), same),
        "learned positions for RoPE": (race, positions),
        "no norm of q and k": (race, attention(qk=())),
        "value embeddings too": (race, values),
        "no first mix": (race, residual(Canon(sublayers=("mlp",)))),
        "no convolution": (race, residual(X0Mix())),
        "convolutions before attention too": (race, residual(X0Mix(residual=Canon()))),
        "GELU for squared ReLU": (race, lambda model: override(model, activation=gelu)),
        "layers that add from the start": (
            race,
            lambda model: override(model, out_kernel_init=None),
        ),
        "no cap of the logits": (race, lambda model: override(model, LMHead, logit_cap=None)),
    }


def measure(race: Race, change: Callable[[Any], Any], text: Any, seeds: int) -> dict[str, Any]:
    """Losses, and the seconds of whole runs with compilation, of a variant."""
    fit, held_out = text
    vocab_size = int(max(each.max() for each in text)) + 1
    model, losses, seconds = change(build_gpt(race, vocab_size)), [], []
    for seed in range(seeds):
        jax.clear_caches()
        started = time.perf_counter()
        losses.append(run(race, fit, held_out, seed, model).loss)
        seconds.append(time.perf_counter() - started)
    return {"losses": losses, "seconds": seconds}


def table(rows: dict[str, dict[str, Any]], timed: bool = True) -> str:
    """The rows as a table in Markdown, each against the first."""
    first = next(iter(rows.values()))
    lines = ["| | loss | difference | seconds |", "| --- | ---: | ---: | ---: |"]
    for name, row in rows.items():
        pairs = [a - b for a, b in zip(row["losses"], first["losses"], strict=True)]
        change = ""
        if row is not first:
            change = f"{statistics.mean(pairs):+.4f}"
            if len(pairs) > 1:
                error = statistics.stdev(pairs) / len(pairs) ** 0.5
                change += f" ± {error:.4f}"
        loss, seconds = statistics.mean(row["losses"]), statistics.median(row["seconds"])
        lines.append(f"| {name} | {loss:.4f} | {change} | {seconds:.1f} |")
    return "\n".join(line if timed else f"{line[:-1].rpartition('|')[0]}|" for line in lines)


def main() -> None:
    ablations = tyro.cli(Ablations, description=__doc__)
    race = next(race for race in RACES if race.target <= ablations.target)
    train, _ = read(ablations.data)
    text = train[: len(train) * 9 // 10], train[len(train) * 9 // 10 :]
    chosen = variants(race)
    if unknown := {*ablations.only} - {*chosen}:
        sys.exit(f"No variant is named {sorted(unknown)}; there are {list(chosen)}.")
    rows = {}
    for name, variant in chosen.items():
        if not ablations.only or name in ablations.only:
            rows[name] = measure(*variant, text, ablations.seeds)
            print(f"{name:32}", *(f"{loss:.4f}" for loss in rows[name]["losses"]), flush=True)
    print(f"\n{table(rows, ablations.timed)}")
    if ablations.out is not None:
        settings = dataclasses.asdict(race)
        versions = {"jax": jax.__version__}
        known = {"schema": 1, "race": settings, "versions": versions, "rows": rows}
        ablations.out.write_text(json.dumps(known, indent=1) + "\n")
    if ablations.page is not None:
        before, _, rest = ablations.page.read_text().partition(FIRST)
        _, _, after = rest.partition(LAST)
        ablations.page.write_text(
            f"{before}{FIRST}\n\n{table(rows, ablations.timed)}\n\n{LAST}{after}"
        )


if __name__ == "__main__":
    main()
