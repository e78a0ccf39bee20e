"""Figures of a benchmark: what is computed of them, and how they are written."""

import json
from dataclasses import replace

import pytest

from recipes.bench.figures import Decoding, Figures, Machine, Spread, Training
from recipes.bench.table import table

FIGURES = Figures(
    preset="tiny",
    when="2026-01-31",
    machine=Machine(
        device="cpu",
        devices=1,
        cores=2,
        versions={"python": "3.11.1", "jax": "0.10.2"},
        product_flops=200e9,
        read_bytes=40e9,
        elsewhere=0.01,
    ),
    training=Training(
        dtype="float32",
        steps_per_second=Spread(10.0, 9.0, 11.5),
        tokens_per_step=1_000,
        flops_per_token=5e6,
        initialise_seconds=0.25,
        compile_seconds=2.0,
        memory_bytes=1_500_000_000,
    ),
    decoding=(
        Decoding(1, 64, 64, Spread(4e3, 3e3, 5e3), Spread(50.0, 40.0, 60.0), 400_000_000),
        Decoding(16, 64, 64, Spread(8e3, 7e3, 9e3), Spread(320.0, 300.0, 330.0), 400_000_000),
    ),
)


def test_shares_are_of_the_limits_of_the_machine() -> None:
    # 10 steps of 1,000 tokens at 5 MFLOP are 50 of 200 GFLOP.
    assert FIGURES.training.mfu(FIGURES.machine) == pytest.approx(0.25)
    # 50 times 0.4 GB of 40, and 320 / 16 times.
    shares = [drawn.bandwidth_share(FIGURES.machine) for drawn in FIGURES.decoding]
    assert shares == pytest.approx([0.5, 0.2])


def test_json_holds_the_figures() -> None:
    content = json.loads(json.dumps(FIGURES.as_json()))
    assert content["training"]["mfu"] == pytest.approx(0.25)
    assert Figures.from_json(content) == FIGURES


def test_json_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema=0 must be 1"):
        Figures.from_json({**FIGURES.as_json(), "schema": 0})


def test_a_table_shows_rates_with_their_spread_and_share() -> None:
    assert table(FIGURES).splitlines() == [
        "tiny in float32, 1 x cpu, 2 cores, JAX 0.10.2",
        "",
        "start     initialise 0.25 s, compile 2.00 s, most memory 1.50 GB",
        "training  10 (9 to 11.5) steps/s, 10,000 tokens/s, 25% of 200 GFLOP/s",
        "prefill   1 x 64    4,000 (3,000 to 5,000) tokens/s",
        "prefill   16 x 64   8,000 (7,000 to 9,000) tokens/s",
        "decode    1 x 64    50 (40 to 60) tokens/s, 50% of 40.0 GB/s",
        "decode    16 x 64   320 (300 to 330) tokens/s, 20% of 40.0 GB/s",
    ]


def test_a_busy_machine_is_named() -> None:
    busy = replace(FIGURES, machine=replace(FIGURES.machine, elsewhere=0.2))
    assert "Other programs took 20% of the cores" in table(busy)
