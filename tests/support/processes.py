"""Commands of the recipe in processes of their own, which tests stop, starve and cut off."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recipes.trainer.metrics import read_metrics

# Seconds after which a process hangs, on a machine that is many times slower than usual.
PATIENCE = 300


def start(*words: object, before: str = "", **options: Any) -> subprocess.Popen[str]:
    """Start a command; outputs are pipes of text unless the options say otherwise.

    What `before` runs in the process first; `preexec_fn` would fork beside JAX's threads.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-m", "recipes.nanogpt", *map(str, words)]
    if before:
        execute = f"{before}; import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
        command = [sys.executable, "-c", execute, *command]
    return subprocess.Popen(command, **{**pipes, **options})


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end of a process; give its code and what it printed."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return process.returncode, out or "", err or ""


def wait_until(true: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until something is true, as long as a process runs."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert process.poll() is None, ended(process)
        assert time.monotonic() < end
        time.sleep(0.02)


def steps(run: Path) -> list[int]:
    """The steps whose rows are in the metrics of a run."""
    return [row["step"] for row in read_metrics(run / "metrics.jsonl")]
