"""How XLA compiles programs that run once."""

import contextlib
import functools
import gc
import importlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

# Of XLA's two ways to write code for a CPU the newer takes up to three times as long to compile;
# to split a small program among threads takes longer than to compile it.
FLAGS = {"--xla_cpu_use_fusion_emitters": "false", "--xla_cpu_parallel_codegen_split_count": "1"}


# Pages and tests compile the same small programs: what one has compiled the next one loads.
PROGRAMS = Path(__file__).parents[2] / ".cache" / "programs"
PROGRAMS_BYTES = 2**29  # those of a few changes of the code; then they are made anew

# How JAX begins to say that half a program was kept, by a process that ended or still writes, or
# that there was no room for one; it compiles that one anew.
NOT_KEPT = tuple(
    f"Error {verb} persistent compilation cache entry" for verb in ("reading", "writing")
)


def kept_programs() -> dict[str, str | float]:
    """Options of JAX by which it keeps every program that it compiles, in `PROGRAMS`.

    In capitals they are variables of its environment. JAX names a program by what it computes, its
    flags and the version of the compiler. A folder that the environment names already stays.
    """
    return {
        "jax_compilation_cache_dir": os.environ.get("JAX_COMPILATION_CACHE_DIR", str(PROGRAMS)),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }


def kept_programs_variables() -> dict[str, str]:
    """Variables by which processes share `PROGRAMS` too, silent about programs not kept."""
    filters = [os.environ.get("PYTHONWARNINGS"), *(f"ignore:{start}" for start in NOT_KEPT)]
    return {
        **{name.upper(): str(value) for name, value in kept_programs().items()},
        "PYTHONWARNINGS": ",".join(filter(None, filters)),
    }


def quick_traces() -> None:
    """Set up this process for many small programs that run once, before it makes the first."""
    import jax

    # Traces make many objects, and searches for garbage read them all.
    gc.set_threshold(20_000, 10, 10)
    # Programs do not say for each operation which lines of Python it comes from.
    jax.config.update("jax_traceback_in_locations_limit", 0)
    share_context()


def share_context() -> None:
    """Have all programs of a thread written in one context of MLIR.

    JAX makes one for each program, which takes a third as long as to compile a small one. While a
    program is written, those that it needs at once have contexts of their own, or they would become
    parts of it. A JAX that makes contexts elsewhere does without.
    """
    mlir: Any = importlib.import_module("jax._src.interpreters.mlir")
    with contextlib.suppress(AttributeError):
        new, now = mlir.make_ir_context, mlir.ir.Context
        kept = functools.cache(lambda thread: new())
        mlir.make_ir_context = lambda: new() if now.current else kept(threading.get_ident())


def forget_programs_if_many() -> None:
    """Empty `PROGRAMS` where it has grown too large; the folder stays for those who write to it."""
    kept = [path for path in PROGRAMS.glob("*") if path.is_file()]
    with contextlib.suppress(FileNotFoundError):  # by another process at the same time
        if sum(path.stat().st_size for path in kept) > PROGRAMS_BYTES:
            for path in kept:
                path.unlink()


def quick_flags() -> str:
    """`XLA_FLAGS` with the quicker ways, for a JAX that is not imported yet.

    Name a flag in `XLA_FLAGS` to choose for yourself; a JAX that no longer knows one does without.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    ours = [f"{flag}={value}" for flag, value in FLAGS.items() if flag not in flags]
    quick = [" ".join([flags, *chosen]).strip() for chosen in (ours, *([one] for one in ours))]
    return next(filter(xla_accepts, quick), flags) if ours else flags


def xla_accepts(flags: str) -> bool:
    """Whether XLA starts with these flags; it ends the process over one that it does not know."""
    start = "from jaxlib import xla_client; xla_client.make_cpu_client()"
    environment = {**os.environ, "XLA_FLAGS": flags}
    finished = subprocess.run([sys.executable, "-c", start], env=environment, capture_output=True)
    return finished.returncode == 0
