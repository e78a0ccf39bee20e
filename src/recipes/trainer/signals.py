"""Interrupts: the first lets a step finish and be saved, the second stops at once."""

import signal
from types import FrameType, TracebackType


class Interrupt:
    """Context in which SIGINT and SIGTERM are recorded instead of ending the process.

    A second SIGINT does what it would outside: it raises `KeyboardInterrupt`, or ends the process.

    Attributes:
        received: The signal, or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "Interrupt":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]  # as it was

    @property
    def exit_code(self) -> int:
        """Exit code of a process that was ended by a signal: 128 plus its number."""
        return 0 if self.received is None else 128 + self.received

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is signal.SIGINT and number == signal.SIGINT:
            before = self._before[signal.SIGINT]
            if callable(before):
                before(number, frame)
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
