"""Ctrl-C outside of training: the process ends at once, whatever it is in the middle of."""

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

# Seconds in which Python may answer an interrupt itself, before the watching thread does.
PATIENCE = 0.5


class _Presses:
    """How many presses were seen, and how many of them training answers by a save."""

    seen = 0
    allowed = 0


def stop_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """End the process with the exit code of an interrupt, 130.

    `KeyboardInterrupt` would be lost in an import or a callback of C, where Python ignores it, and
    threads that compile crash a process that ends in order. Files are written completely or not at
    all, so that nothing has to be undone.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or interrupted while it wrote
            stream.flush()
    _end()


def answer_interrupts() -> None:
    """Have Ctrl-C end this process at once, until training answers it by a save.

    A thread watches too, for Python answers signals between its own instructions alone, and one
    that compiles or waits for a device runs none for a while.
    """
    signal.signal(signal.SIGINT, stop_at_once)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()


def allow_presses(count: int) -> None:
    """Leave as many further presses to the handler that is set, instead of ending at once."""
    _Presses.allowed = _Presses.seen + count


def _watch(reader: int) -> None:
    while True:
        for number in os.read(reader, 1024):
            if number == signal.SIGINT:
                _Presses.seen += 1
        if _Presses.seen > _Presses.allowed:
            time.sleep(PATIENCE)
            _end()


def _end() -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, b"\nStopped at once.\n")
    os._exit(128 + signal.SIGINT)
