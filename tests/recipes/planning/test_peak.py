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


def test_a_known_device_has_the_figure_of_its_data_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    known = SimpleNamespace(device_kind="NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(jax, "devices", lambda: [known])
    assert peak_flops("bfloat16") == pytest.approx(989.5e12)


def test_another_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each product takes one tick of a clock; the second of five half of one.
    ticks = itertools.chain([0.0, 1.0, 1.0, 1.5], itertools.count(2.0))
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
    assert peak_flops("float32") == pytest.approx(2 * SIZE**3 / 0.5)


def test_a_clock_that_stands_still_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    assert peak_flops("float32") is None
