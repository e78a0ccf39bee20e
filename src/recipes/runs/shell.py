"""Words of a command line that a message proposes: the program, and quoted paths."""

import shlex
from pathlib import Path

PROGRAM = "python -m recipes.nanogpt"


def quoted(path: Path) -> str:
    """Quote a path for a shell."""
    return shlex.quote(str(path))
