"""Output that may fail: a closed pipe, a full device, a terminal that is gone, a poor encoding."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO


class Output:
    """A text stream in front of another, which writes what its encoding lacks as escapes.

    After the first write that fails, what is written goes nowhere.

    Attributes:
        vital: Whether a failure is raised; training goes on without a reader.
        failure: The error of the write that failed, or None.
    """

    def __init__(self, stream: TextIO, *, vital: bool):
        self.vital = vital
        self.failure: OSError | None = None
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text.

        Raises:
            OSError: The write fails, and the output is vital.
        """
        self._try(lambda: self._write(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream.

        Raises:
            OSError: The write fails, and the output is vital.
        """
        self._try(self._stream.flush)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))

    def _try(self, action: Callable[[], object]) -> None:
        if self.failure is None:
            try:
                action()
            except OSError as error:
                self.failure = error
                self._drop()
        if self.failure is not None and self.vital:
            raise self.failure

    def _drop(self) -> None:
        """Have what is still buffered go nowhere: Python writes it once more at exit."""
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def guarded_outputs() -> Iterator[Output]:
    """Guard both standard outputs; give the first, which is vital unless it is set otherwise.

    Raises:
        OSError: The output is vital and cannot be written.
    """
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        # Python has no stream where the descriptor was closed at the start.
        out = Output(sys.stdout or nowhere, vital=True)
        errors = Output(sys.stderr or nowhere, vital=False)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            try:
                yield out
            except SystemExit:  # after --help
                out.flush()
                raise
            out.flush()
            errors.flush()
