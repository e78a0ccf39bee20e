"""How XLA compiles programs that run once."""

import os
import subprocess
import sys

# Of XLA's two ways to write code for a CPU the newer takes up to three times as long to compile.
FLAG = "--xla_cpu_use_fusion_emitters"


def quick_flags() -> str:
    """`XLA_FLAGS` with the quicker way, for a JAX that is not imported yet.

    Name the flag in `XLA_FLAGS` to choose for yourself; a JAX that no longer knows it does without.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    quick = f"{flags} {FLAG}=false".strip()
    return quick if FLAG not in flags and xla_accepts(quick) else flags


def xla_accepts(flags: str) -> bool:
    """Whether XLA starts with these flags; it ends the process over one that it does not know."""
    start = "from jaxlib import xla_client; xla_client.make_cpu_client()"
    environment = {**os.environ, "XLA_FLAGS": flags}
    finished = subprocess.run([sys.executable, "-c", start], env=environment, capture_output=True)
    return finished.returncode == 0
