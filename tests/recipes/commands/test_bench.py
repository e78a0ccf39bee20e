"""`bench` measures a preset, and writes its figures."""

import json
from pathlib import Path

import jax
import pytest

from recipes.bench import machine, measure
from recipes.bench.figures import Figures
from recipes.commands import main

TINY = [
    *("bench", "shakespeare-char-cpu", "--model.num-layers", "1", "--model.features", "16"),
    *("--model.context", "16", "--batch-size", "2", "--trainer.log-every", "2"),
    *("--turns", "2", "--seconds", "0", "--tokens", "4"),
]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "READ_BYTES", 2**16)
    monkeypatch.setattr(measure, "BATCHES", (2,))


def test_figures_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cached = jax.config.jax_enable_compilation_cache
    assert main([*TINY, "--json", str(tmp_path / "figures.json")]) == 0
    figures = Figures.from_json(json.loads((tmp_path / "figures.json").read_text()))
    printed = capsys.readouterr().out
    assert "steps/s" in printed
    assert "decode    2 x 4" in printed
    assert jax.config.jax_enable_compilation_cache == cached
    # 12 width^2 of a layer, 65 x 16 of the head: two operations each, three times; and attention.
    products = 6 * (12 * 16**2 + 65 * 16)
    assert products < figures.training.flops_per_token < 1.5 * products
    # The parameters: a layer, the embedding that is the head, scales of three norms.
    assert figures.decoding[0].weight_bytes == 4 * (12 * 16**2 + 65 * 16 + 3 * 16)
    assert 0.0 < figures.training.mfu(figures.machine) < 1.0


@pytest.mark.parametrize("option", ["--turns", "--tokens"])
def test_counts_below_one_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "quick", option, "0"]) == 2
    assert f"{option[2:]}=0 must be at least 1" in capsys.readouterr().err
