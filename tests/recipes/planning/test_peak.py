"""The most that a device can do: by its data sheet, or as measured."""

import itertools
from types import SimpleNamespace

import jax
import pytest

from recipes.planning.peak import SIZE, peak_flops


@pytest.fixture(autouse=True)
def fresh():
    peak_flops.cache_clear()
    yield
    peak_flops.cache_clear()


@pytest.mark.parametrize(
    ("kind", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989.5e12),
        ("TPU v5", 459e12),
        # Neither known by a part of their names nor measured.
        ("NVIDIA H100 PCIe", None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),
        ("TPU v5 lite", None),
    ],
)
def test_an_accelerator_has_the_figure_of_its_data_sheet_or_none(
    monkeypatch: pytest.MonkeyPatch, kind: str, peak: float | None
) -> None:
    device = SimpleNamespace(platform="gpu", device_kind=kind)
    monkeypatch.setattr(jax, "local_devices", lambda: [device])
    assert peak_flops("bfloat16") == peak


def test_simulated_devices_share_what_a_cpu_is_measured_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jax, "local_device_count", lambda: 4)
    # Each product takes one tick of a clock; the second of five half of one.
    ticks = itertools.chain([0.0, 1.0, 1.0, 1.5], itertools.count(2.0))
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
    assert peak_flops("float32") == pytest.approx(2 * SIZE**3 / 0.5 / 4)


def test_a_clock_that_stands_still_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    assert peak_flops("float32") is None
