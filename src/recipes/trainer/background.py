"""Checkpoints that are written while training goes on."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.state import TrainState

# Of the thread that saves, as `nice` counts: 0 is a program's usual, 19 the least urgent.
NICENESS = 10

log = logging.getLogger(__name__)


class BackgroundSaves:
    """Context in which a thread writes checkpoints, one at a time, from a copy of the state.

    Training waits for the copy, and for an earlier save that is not complete yet. A save that fails
    is reported by the next call, and at the latest when the context ends. Where several processes
    save together, each waits for the others, so there training waits too.

    Args:
        checkpoints: Where checkpoints are written.
    """

    def __init__(self, checkpoints: Checkpoints):
        self._checkpoints = checkpoints
        self._thread = ThreadPoolExecutor(1, "save", initializer=_yield_to_training)
        self._pending: Future[Path] | None = None
        self._then: Callable[[], None] | None = None

    def __enter__(self) -> BackgroundSaves:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown()
        if error is None:
            self.wait()
        elif self._pending is not None:
            if failure := self._pending.exception():
                log.warning("%s", failure)
            else:
                self._finish()

    def save(
        self,
        state: TrainState,
        record: dict[str, Any],
        *,
        metrics: bytes = b"",
        then: Callable[[], None] | None = None,
    ) -> None:
        """Begin to write the checkpoint of a state, as `Checkpoints.save` does.

        Args:
            state: The state, which training may donate afterwards.
            record: Values for JSON.
            metrics: Rows of metrics up to this step.
            then: What the next call does first, once the checkpoint is complete.

        Raises:
            RecipeError: An earlier save failed.
        """
        self.wait()
        self._then = then
        if jax.process_count() > 1:
            self._checkpoints.save(state, record, metrics=metrics)
            self._finish()
        else:
            copy = jax.tree.map(_copied, state)
            # A source of batches may go on to change its position in place.
            write = partial(self._checkpoints.save, copy, deepcopy(record), metrics=metrics)
            self._pending = self._thread.submit(write)

    def check(self) -> None:
        """Report a save that has failed.

        Raises:
            RecipeError: It has.
        """
        if self._pending is not None and self._pending.done():
            self.wait()

    def wait(self) -> None:
        """Wait until the last save is complete.

        Raises:
            RecipeError: It failed.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()
            self._finish()

    def _finish(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()


def _yield_to_training() -> None:
    """Let this thread have what the steps leave of the processor, where threads have priorities."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):  # a sandbox may refuse it, and the save is worth more
            # Nobody may become more urgent than `nice` has made the whole program.
            niceness = max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, niceness)


def _copied(leaf: Any) -> Any:
    """An array that training cannot donate: on the host, but for keys."""
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jnp.copy(leaf) if is_key else np.array(leaf)
