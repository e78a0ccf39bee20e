"""The limits of a machine, where it does not tell all of them."""

import sys

import jax
import pytest

from recipes.bench import machine
from recipes.bench.machine import Elsewhere, memory_bytes


def test_memory_is_unknown_where_neither_device_nor_system_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (memory_bytes() or 0) > 2**20
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    if not (jax.local_devices()[0].memory_stats() or {}):
        assert memory_bytes() is None


def test_other_programs_have_what_the_cores_did_beside_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 4)
    times = iter([(100.0, 20.0, 1000.0), (118.0, 32.0, 1010.0)])
    monkeypatch.setattr(Elsewhere, "_times", lambda _: next(times))
    # In ten seconds four cores have 40; they worked for 18, of which 12 were this program's.
    assert Elsewhere().share() == pytest.approx(6 / 40)
