"""Heartbeats through a dictionary: who gives no sign is lost, who has left is not."""

import threading
import time

import pytest

from recipes.trainer import heartbeats


class Service(dict):
    def key_value_set(self, key: str, value: str, allow_overwrite: bool) -> None:
        self[key] = value

    def key_value_try_get(self, key: str) -> str:
        return self[key]


@pytest.mark.parametrize(("last", "lost"), [("7", [2]), (heartbeats.LEFT, [])])
def test_a_process_without_a_sign_is_lost_unless_it_left(
    monkeypatch: pytest.MonkeyPatch, last: str, lost: list[int]
) -> None:
    service, ended, found = Service(), threading.Event(), []

    def end(index: int, timeout: float) -> None:
        found.append(index)
        ended.set()

    monkeypatch.setattr(heartbeats, "_end", end)
    alive = threading.Thread(target=heartbeats._beat, args=(service, ended, 0.01, 1))
    service[heartbeats._key(2)] = last
    watch = threading.Thread(target=heartbeats._watch, args=(service, ended, 0.01, 3, 0.5))
    alive.start()
    watch.start()
    if not lost:
        time.sleep(0.8)
        ended.set()
    watch.join(60)
    alive.join(60)
    assert found == lost
