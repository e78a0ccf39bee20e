"""Heartbeats through a dictionary: who gives no sign is lost, who has left is not."""

import atexit
import os
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import NoReturn

import pytest

from recipes.trainer import heartbeats
from recipes.trainer.heartbeats import LEFT, keep_heartbeats

PAUSE, TIMEOUT = 0.5, 5.0


class Service(dict[str, str]):
    def key_value_set(self, key: str, value: str, allow_overwrite: bool) -> None:
        self[key] = value

    def key_value_try_get(self, key: str) -> str:
        return self[key]


class LostError(Exception):
    """Stands for the end of the process: number of the one that is lost."""


class ExitedError(Exception):
    """Stands for the end of the process: its exit code."""


def watch(
    monkeypatch: pytest.MonkeyPatch, service: Service, waits: Iterator[float], count: int
) -> float:
    """Watch until the waits are over, which take no time but on a clock of their own; its time."""
    clock = SimpleNamespace(now=1000.0)

    def wait(pause: float) -> bool:
        wait = next(waits, None)
        clock.now += wait or 0.0
        return wait is None

    def end(index: int, timeout: float) -> NoReturn:
        raise LostError(index, clock.now - 1000.0)

    monkeypatch.setattr(heartbeats, "monotonic", lambda: clock.now)
    monkeypatch.setattr(heartbeats, "_end", end)
    heartbeats._watch(service, SimpleNamespace(wait=wait), PAUSE, count, TIMEOUT)
    return clock.now - 1000.0


def beats(service: Service, waits: list[float]) -> Iterator[float]:
    """Waits after each of which process 1 has given a sign, and others have not."""
    for number, wait in enumerate(waits):
        service[heartbeats._key(1)] = f"{number}"
        yield wait


def test_a_process_without_a_sign_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service({heartbeats._key(2): "7"})
    with pytest.raises(LostError) as lost:
        watch(monkeypatch, service, beats(service, [PAUSE] * 100), count=3)
    index, after = lost.value.args
    assert index == 2
    assert TIMEOUT < after <= TIMEOUT + 2 * PAUSE


def test_a_process_that_left_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service({heartbeats._key(2): LEFT})
    assert watch(monkeypatch, service, beats(service, [PAUSE] * 100), count=3) == 100 * PAUSE


def test_all_have_their_time_again_after_they_were_stopped_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service({heartbeats._key(1): "7"})
    before, after = [PAUSE] * 8, [3600.0, *[PAUSE] * 8]
    assert watch(monkeypatch, service, iter([*before, *after]), count=2) == 3608.0
    with pytest.raises(LostError) as lost:
        watch(monkeypatch, service, iter([*before, *after, *[PAUSE] * 8]), count=2)
    assert 3604.0 + TIMEOUT < lost.value.args[1] <= 3604.0 + TIMEOUT + 2 * PAUSE


def test_a_beat_under_way_does_not_hide_that_its_process_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go, over = (threading.Event() for _ in range(3))

    class Slow(Service):
        def key_value_set(self, key: str, value: str, allow_overwrite: bool) -> None:
            if value != LEFT:
                begun.set()
                go.wait(60)
            self[key] = value
            if value != LEFT:
                over.set()

    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    service = Slow()
    keep_heartbeats(service, 1, 2, timeout=0.1)
    assert begun.wait(60)
    threading.Timer(0.05, go.set).start()
    (leave,) = at_exit
    leave()
    assert over.wait(60)
    assert service == {heartbeats._key(1): LEFT}


def test_a_closed_output_does_not_keep_the_process_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = list[bytes]()

    def fails() -> NoReturn:
        raise BrokenPipeError

    def write(file: int, text: bytes) -> NoReturn:
        said.append(text)
        raise BrokenPipeError

    def leave(code: int) -> NoReturn:
        raise ExitedError(code)

    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", SimpleNamespace(flush=fails))
        patched.setattr(os, "write", write)
        patched.setattr(os, "_exit", leave)
        with pytest.raises(ExitedError, match=r"^2$"):
            heartbeats._end(3, 100)
    assert b"error: Process 3 was lost: it gave no sign for 100 s.\n" in said[0]
