"""Processes that tests start: commands of the recipe, and code; they are stopped and starved."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recipes.trainer.metrics import read_metrics

# Seconds after which a process hangs, on a machine that is many times slower than usual.
PATIENCE = 900


def start(*words: object, before: str = "", **options: Any) -> subprocess.Popen[str]:
    """Start a command of the recipe; what `before` runs in the process first.

    `preexec_fn` would fork beside JAX's threads.
    """
    command = ["-m", "recipes.nanogpt", *words]
    if before:
        execute = f"{before}; import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
        command = ["-c", execute, sys.executable, *command]
    return _start(*command, **options)


def start_python(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start code that is given the arguments, and finds the modules of this folder."""
    return _start("-c", code, *arguments, **options)


def run_python(code: str, *arguments: object, **environment: str) -> str:
    """What code prints in a process of its own, which must end without an error."""
    process = start_python(code, *arguments, environment=environment, stderr=None)
    printed, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args, printed)
    return printed


def _start(
    *words: object, environment: dict[str, str] | None = None, **options: Any
) -> subprocess.Popen[str]:
    """Start Python; outputs are pipes of text unless the options say otherwise."""
    places = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    support = {"PYTHONPATH": os.pathsep.join(filter(None, places))}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    variables = {"env": {**os.environ, **support, **(environment or {})}}
    return subprocess.Popen([sys.executable, *map(str, words)], **{**pipes, **variables, **options})


def ready(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """Wait until code that was started says that it is ready."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", ended(process)
    return process


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end of a process; give its code and what it printed."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, out or "", err or ""


def wait_until(true: Callable[[], object], *processes: subprocess.Popen[str]) -> None:
    """Wait until something is true, as long as all these processes run."""
    end = time.monotonic() + PATIENCE
    while not true():
        for process in processes:
            assert process.poll() is None, ended(process)
        assert time.monotonic() < end
        time.sleep(0.02)


def steps(run: Path) -> list[int]:
    """The steps whose rows are in the metrics of a run."""
    return [row["step"] for row in read_metrics(run / "metrics.jsonl")]
