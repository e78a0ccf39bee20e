"""Several processes that train one model: how they meet, and how they agree."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from recipes.differences import differences
from recipes.errors import RecipeError
from recipes.trainer.heartbeats import keep_heartbeats

T = TypeVar("T")
# Names of messages: all processes send them in the same order.
_numbers = itertools.count()
# A process that waits for one that has died is ended by the heartbeat.
_FOREVER = 24 * 3600 * 1000


@dataclass(frozen=True)
class Processes:
    """Which process this is of those that train one model; each has devices of its own.

    Attributes:
        coordinator: Address of the first process, such as host0:1234, where all meet; auto asks
            the cluster, such as Slurm, for all three. One process trains alone if left out.
        num_processes: Number of processes.
        process_id: Number of this one, from 0.
        join_timeout: Seconds to wait for the others at the start.
        heartbeat_timeout: Seconds after which a process that is not heard from counts as lost;
            twice as many for the first one, where its host lost power or the network.

    Raises:
        RecipeError: An address without a port, or a number out of range.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    join_timeout: int = 300
    heartbeat_timeout: int = 100

    def __post_init__(self) -> None:
        count, index = self.num_processes, self.process_id
        if self.coordinator in (None, "auto"):
            if (count, index) != (None, None):
                raise RecipeError(
                    f"--num-processes {count} and --process-id {index} need an address.",
                    "Add --coordinator HOST:PORT.",
                )
        elif count is None or index is None or not 0 <= index < count:
            raise RecipeError(
                f"--coordinator {self.coordinator} with --num-processes {count} and --process-id "
                f"{index}: the number of this process must be from 0 and below that of all.",
                "For two processes, give --num-processes 2 and --process-id 0 or 1.",
            )
        elif not self.coordinator.rpartition(":")[2].isdecimal():
            raise RecipeError(
                f"--coordinator {self.coordinator} has no port.", f"Use {self.coordinator}:1234."
            )
        for name in ("join_timeout", "heartbeat_timeout"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name}={getattr(self, name)} must be at least 1.", "Use 100.")

    def join(self) -> None:
        """Meet the other processes, if there are any; before any array is made.

        Raises:
            RecipeError: They were not there in time.
        """
        if self.coordinator is None:
            return
        import jax

        found = self.coordinator == "auto"
        if self.process_id:
            # JAX would end the process with a trace of the native stack.
            _await_address(self.coordinator, self.join_timeout)
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        try:
            jax.distributed.initialize(
                None if found else self.coordinator,
                self.num_processes,
                self.process_id,
                initialization_timeout=self.join_timeout,
                # The first process notices before JAX does, and says which.
                heartbeat_timeout_seconds=2 * self.heartbeat_timeout,
                # When one stops it has said why; it need not wait for the others.
                shutdown_timeout_seconds=min(10, self.heartbeat_timeout),
            )
        except ValueError as error:
            raise RecipeError(
                f"--coordinator {self.coordinator} finds no cluster that JAX knows: {error}",
                "Give --coordinator HOST:PORT, --num-processes and --process-id.",
            ) from error
        except RuntimeError as error:
            raise RecipeError(
                f"The processes did not all meet at {self.coordinator} within "
                f"{self.join_timeout} s: {str(error).splitlines()[0]}",
                "Start all of them, with the same --coordinator and --num-processes.",
            ) from error
        from jax._src.distributed import global_state as state

        keep_heartbeats(state.client, state.process_id, state.num_processes, self.heartbeat_timeout)


def is_first() -> bool:
    """Whether this process writes and prints."""
    import jax

    return jax.process_index() == 0


def on_first(function: Callable[[], T]) -> T:
    """Call a function in the first process, while the others wait.

    Returns:
        Its result, which is fit for JSON, in all processes.

    Raises:
        RecipeError: One of the first process, in all.
        OSError: Any other error of the first process, in the others.
    """
    client, key = _client(), f"linen-blocks/{next(_numbers)}"
    if client is None:
        return function()
    if is_first():
        try:
            result = function()
        except Exception as error:
            parts = error.args if isinstance(error, RecipeError) else None
            client.key_value_set(key, json.dumps({"parts": parts, "text": str(error)}))
            raise
        client.key_value_set(key, json.dumps({"result": result}))
        return result
    told = json.loads(client.blocking_key_value_get(key, _FOREVER))
    if "result" in told:
        return told["result"]
    raise RecipeError(*told["parts"]) if told["parts"] else OSError(told["text"])


def check_same_everywhere(settings: dict[str, Any]) -> None:
    """Compare the settings of all processes, without a collective.

    Raises:
        RecipeError: In all processes, with the settings that differ.
    """
    client = _client()
    if client is None:
        return
    import jax

    place = f"linen-blocks/{next(_numbers)}"
    client.key_value_set(f"{place}/{jax.process_index()}", json.dumps(settings))

    def compare() -> None:
        for index in range(1, jax.process_count()):
            theirs = json.loads(client.blocking_key_value_get(f"{place}/{index}", _FOREVER))
            ours, where = json.loads(json.dumps(settings)), ("in process 0", f"in {index}")
            found = differences(ours, theirs, where)
            if found:
                raise RecipeError(
                    f"The settings of the processes differ: {'; '.join(found)}.",
                    "Start all processes with the same command but for --process-id.",
                )

    on_first(compare)


def highest(number: int) -> int:
    """The highest of the numbers that the processes give."""
    import jax

    if jax.process_count() == 1:
        return number
    import numpy as np
    from jax.experimental import multihost_utils

    return int(multihost_utils.process_allgather(np.int32(number)).max())


def _client() -> Any:
    """The service through which processes talk; None where there is one process."""
    import jax

    if jax.process_count() == 1:
        return None
    # JAX has no public way to it; Orbax takes this one too.
    from jax._src.distributed import global_state

    return global_state.client


def _await_address(address: str, timeout: float) -> None:
    """Wait until something listens at an address."""
    host, _, port = address.rpartition(":")
    end = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=timeout).close()
            return
        except (OSError, OverflowError) as error:
            if time.monotonic() >= end:
                raise RecipeError(
                    f"The coordinator at {address} was not there within {timeout} s: {error}.",
                    "Start the process with --process-id 0 there, or correct --coordinator.",
                ) from error
        time.sleep(min(0.5, timeout / 10))
