"""Heartbeats of the processes that train together: the first one says which was lost.

JAX has its own, after which it aborts a process with a trace of the native stack.
"""

import atexit
import os
import sys
import threading
from contextlib import suppress
from time import monotonic
from typing import Any, NoReturn

# Value of a process that has ended in order.
LEFT = "left"


def keep_heartbeats(client: Any, index: int, count: int, timeout: float) -> None:
    """Have this process give signs of life, or watch for those of all others if it is the first.

    Args:
        client: The service through which processes talk.
        index: Number of this process.
        count: Number of processes.
        timeout: Seconds without a sign after which a process is lost.
    """
    ended, pause = threading.Event(), min(1.0, timeout / 10)
    task, given = (_beat, (index,)) if index else (_watch, (count, timeout))
    thread = threading.Thread(target=task, args=(client, ended, pause, *given), daemon=True)
    thread.start()

    def leave() -> None:
        ended.set()
        if index:
            thread.join()  # A beat that is under way would replace the value.
            _set(client, index, LEFT)

    atexit.register(leave)


def _beat(client: Any, ended: threading.Event, pause: float, index: int) -> None:
    number = 0
    while not ended.wait(pause) and _set(client, index, str(number)):
        number += 1


def _watch(client: Any, ended: threading.Event, pause: float, count: int, timeout: float) -> None:
    woke = monotonic()
    last = dict.fromkeys(range(1, count), ("", woke))
    while not ended.wait(pause):
        # All were stopped together, as when virtual machines are paused: none could give a sign.
        slept, woke = (now := monotonic()) - woke > timeout / 2, now
        for index, (before, since) in last.items():
            try:
                value = client.key_value_try_get(_key(index))
            except Exception:  # nothing is written yet
                value = ""
            if value != before or slept:
                last[index] = value, woke
            elif value != LEFT and woke - since > timeout:
                _end(index, timeout)


def _end(index: int, timeout: float) -> NoReturn:
    """Say which process was lost, and end this one at once, as it may wait for that one."""
    said = (
        f"\nerror: Process {index} was lost: it gave no sign for {timeout:g} s.\n"
        "fix:   Start all processes again with --resume auto.\n"
    )
    try:
        with suppress(Exception):  # a pipe that nobody reads
            sys.stdout.flush()
        os.write(2, said.encode())
    finally:
        os._exit(2)


def _set(client: Any, index: int, value: str) -> bool:
    try:
        client.key_value_set(_key(index), value, allow_overwrite=True)
    except Exception:  # the first process is gone, which JAX notices
        return False
    return True


def _key(index: int) -> str:
    return f"linen-blocks/alive/{index}"
