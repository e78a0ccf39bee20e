"""Draws the figure of the README from a run: `python docs/figures/readme.py RUN_FOLDER`."""

import json
import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

# Read on white and on black alike: GitHub shows the file on either.
INK, BLUE, ORANGE = "#808080", "#3d85d8", "#d9822b"
TARGET = Path(__file__).parents[1] / "assets/first_run.svg"


def draw(folder: Path) -> None:
    """Writes the curve of a run's losses, with the loss of a uniform guess."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["vocabulary"]
    plt.rcParams.update(
        {"svg.hashsalt": "readme", "svg.fonttype": "none", "font.family": "sans-serif"}
        | {f"{part}.color": INK for part in ("xtick", "ytick", "text")}
        | {"axes.edgecolor": INK, "axes.labelcolor": INK, "font.size": 10}
    )
    figure, axes = plt.subplots(figsize=(7.2, 2.6), layout="constrained")
    uniform = math.log(len(vocabulary))
    last = rows[-1]["step"]
    axes.axhline(uniform, color=INK, linestyle="--", linewidth=1)
    axes.annotate("a uniform guess", (last, uniform), ha="right", va="bottom")
    trained = [row for row in rows if "train_loss" in row]
    axes.plot(
        [r["step"] for r in trained], [r["train_loss"] for r in trained], color=BLUE, linewidth=1.2
    )
    measured = [row for row in rows if "val_loss" in row]
    axes.plot(
        [row["step"] for row in measured],
        [row["val_loss"] for row in measured],
        "o",
        color=ORANGE,
    )
    final = measured[-1]["val_loss"]
    axes.annotate(
        f"validation {final:.2f}",
        (last, final),
        (-8, 10),
        ha="right",
        color=ORANGE,
        textcoords="offset points",
    )
    axes.set(xlabel="step", ylabel="nats per character", xlim=(0, last * 1.01), ylim=(1, 5))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(TARGET, transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    draw(Path(sys.argv[1]))
