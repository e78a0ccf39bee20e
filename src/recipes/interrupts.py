"""Ctrl-C outside of training: the process ends at once, whatever it is in the middle of."""

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def stop_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """End the process with the exit code of an interrupt, 130.

    `KeyboardInterrupt` would be lost in an import or a callback of C, where Python ignores it, and
    threads that compile crash a process that ends in order. Files are written completely or not at
    all, so that nothing has to be undone.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or interrupted while it wrote
            stream.flush()
    with contextlib.suppress(OSError):
        os.write(2, b"\nStopped at once.\n")
    os._exit(128 + signal.SIGINT)


def answer_interrupts() -> None:
    """Have Ctrl-C end this process at once, until training answers it by a save."""
    signal.signal(signal.SIGINT, stop_at_once)
