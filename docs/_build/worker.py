"""Runs pages, each in a process of its own, forked from one that has imported JAX already.

Reads a list of pages as JSON on standard input; writes a line of JSON as each is done.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

SECONDS = 240  # of computing, before a page counts as hung; they last longer on a busy machine


def main() -> None:
    """Forks for each page, as many at a time as there are processors."""
    root, pages = Path(sys.argv[1]), json.load(sys.stdin)
    # Those that train take longest: none of them shall run alone at the end.
    pages.sort(key=lambda page: not _trains(root / page))
    _preload()
    running: dict[int, tuple[str, Path, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        while pages or running:
            if pages and len(running) < (os.cpu_count() or 1):
                page = pages.pop(0)
                answer = Path(folder) / f"{len(pages)}.json"
                if not (child := os.fork()):
                    _answer(root / page, root, answer)
                    os._exit(0)
                running[child] = (page, answer, time.monotonic())
                continue
            child, status = os.wait()
            page, answer, started = running.pop(child)
            result = {"page": page, "seconds": round(time.monotonic() - started, 2)}
            if answer.exists():
                result |= json.loads(answer.read_text(encoding="utf-8"))
            else:
                cause = f"stopped by {signal.Signals(status & 127).name}" if status & 127 else ""
                result |= {"failure": f"{page}: its process died, {cause or status >> 8}."}
            print(json.dumps(result), flush=True)


def _preload() -> None:
    """What nearly every page needs and nothing that starts a thread or a device."""
    import flax.linen
    import jax.numpy
    import matplotlib.pyplot
    import optax

    import _build.macros
    import _build.rooms
    import _build.run
    import blocks

    _build.rooms.every_name()  # read from all files of `blocks`; every page asks for it
    del flax, jax, matplotlib, optax, _build, blocks
    gc.freeze()  # what all pages share is not searched for garbage by each


def _answer(page: Path, root: Path, answer: Path) -> None:
    import jax

    from _build.compiler import quick_traces
    from _build.fences import PageError
    from _build.run import run_page

    signal.alarm(5 * SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 10))
    quick_traces()
    # What a snippet writes past `sys.stdout` must not fall among the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        # Most pages compile many small programs and run each once.
        jax.config.update("jax_disable_most_optimizations", not _trains(page))
        try:
            result = {"results": run_page(page, root)}
        except PageError as error:
            result = {"failure": str(error)}
        except BaseException:
            result = {"failure": f"{page}: {traceback.format_exc()}"}
        os.chdir(root)
    partial = answer.with_suffix(".part")
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.rename(answer)


def _trains(page: Path) -> bool:
    """Whether the page says in its front matter that it wants fast programs."""
    head = page.read_text(encoding="utf-8").partition("\n---\n")[0]
    return head.startswith("---\n") and "\noptimize: true" in head


if __name__ == "__main__":
    main()
