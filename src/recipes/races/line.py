"""The command line of a race, and its clock; without JAX, so that `--help` is quick."""

import argparse
import os
import time
from pathlib import Path

IMPORTED = time.monotonic()


def options(description: str | None) -> argparse.Namespace:
    """Read the options of `recipes.speedrun`."""
    parser = argparse.ArgumentParser(prog="python -m recipes.speedrun", description=description)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, required=True, help="text to train and validate on")
    parser.add_argument("--target", type=float, default=1.886, help="loss to reach, in nats")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and batches")
    chosen = parser.parse_args()
    if not chosen.data.is_file():
        parser.error(f"--data {chosen.data} must be a file; give the path of a text.")
    return chosen


def seconds_since_start() -> float:
    """Seconds since this process started; where the system does not say, since the first import."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError):
        return time.monotonic() - IMPORTED
