"""Checks the table of features against the libraries that it speaks of.

`python benchmarks/features.py FOLDER` reads `docs/guarantees/features.toml`. FOLDER holds a
checkout of each library under the name of its repository; what each should be at is printed first.
A cell that is not true ends the command with 1.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import blocks

TABLE = Path(__file__).parents[1] / "docs/guarantees/features.toml"


def wrong_cells(table: dict, folder: Path) -> list[str]:
    """What of the table is not true, as sentences."""
    wrong = []
    for feature in table["feature"]:
        name = feature["name"]
        for ours in feature["ours"]:
            if ours not in blocks.__all__:
                wrong.append(f"{name}: blocks has no {ours}")
        for peer, about in table["peers"].items():
            source = folder / about["repository"].partition("/")[2] / about["source"]
            if peer in feature:
                file, text = feature[peer]
                path = source / file
                if not path.is_file() or text not in path.read_text(encoding="utf-8"):
                    wrong.append(f"{name}: {peer} has no {text!r} in {file}")
            elif found := first_match(re.compile(feature["search"], re.IGNORECASE), source):
                wrong.append(f"{name}: {peer} has {found}")
    return wrong


def first_match(pattern: re.Pattern, source: Path) -> str | None:
    """Where `pattern` occurs first in a library's own code, tests left out."""
    for path in sorted(source.rglob("*.py")):
        if path.name.endswith("_test.py"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line):
                return f"{path.relative_to(source)}:{number}: {line.strip()}"
    return None


def main(folder: Path) -> int:
    """Prints what was compared and what is wrong."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    for peer, about in table["peers"].items():
        checkout = folder / about["repository"].partition("/")[2]
        if not (checkout / about["source"]).is_dir():
            print(f"{checkout} is missing: check out {about['repository']} at {about['commit']}.")
            return 2
        at = subprocess.run(
            ["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True
        )
        print(f"{peer}: checked at {about['commit'][:12]}, here {at.stdout[:12] or 'unknown'}")
    wrong = wrong_cells(table, folder)
    print("\n".join(wrong))
    cells = len(table["feature"]) * (len(table["peers"]) + 1)
    print(f"{len(table['feature'])} features, {cells} cells, {len(wrong)} of them wrong")
    return bool(wrong)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
