"""Interrupts: the first lets a step finish and be saved, the second stops at once."""

import signal
from types import FrameType, TracebackType

from recipes.interrupts import allow_presses
from recipes.trainer.processes import highest

# SIGHUP says that the terminal is gone; not every system has it.
NOTED = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupt:
    """Context in which SIGINT, SIGTERM and SIGHUP are recorded instead of ending the process.

    SIGHUP stays ignored where it is, as under `nohup`. A second SIGINT does what it would outside:
    it raises `KeyboardInterrupt`, or ends the process.

    Attributes:
        received: The signal, of this process or another one, or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._pressed = False  # here, not in another process
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "Interrupt":
        for name in NOTED:
            number = getattr(signal, name, None)
            ignored = name == "SIGHUP" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            if number is not None and not ignored:
                self._before[number] = signal.signal(number, self._note)
        allow_presses(1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]  # as it was
        allow_presses(0)

    @property
    def exit_code(self) -> int:
        """Exit code of a process that was ended by a signal: 128 plus its number."""
        return 0 if self.received is None else 128 + self.received

    def agree(self) -> signal.Signals | None:
        """The signal that this process or any other has received, or None.

        All processes call this after the same step, so that all stop after it.
        """
        if number := highest(self.received or 0):
            self.received = signal.Signals(number)
        return self.received

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._pressed and number == signal.SIGINT:
            before = self._before[signal.SIGINT]
            if callable(before):
                before(number, frame)
            raise KeyboardInterrupt
        self._pressed |= number == signal.SIGINT
        self.received = signal.Signals(number)
