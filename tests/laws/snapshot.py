"""The names and shapes of all parameters, as they were last agreed on.

`PYTHONPATH=tests python -m laws.snapshot` writes them anew. Read the difference before you commit
it: a changed name breaks checkpoints, sharding and imported weights.
"""

import json
import pathlib

import jax
from laws.case import Case
from laws.cases import FAMILIES

FOLDER = pathlib.Path(__file__).parent / "parameter_names"


def names_and_shapes(case: Case) -> dict[str, str]:
    """Every parameter's path and shape."""
    shapes = case.init(*case.arguments()).get("params", {})
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): " ".join(map(str, leaf.shape))
        for path, leaf in jax.tree_util.tree_leaves_with_path(shapes)
    }


def snapshot(family: str) -> str:
    """The file of a family's cases."""
    names = {case.name: names_and_shapes(case) for case in FAMILIES[family]}
    return json.dumps(names, indent=1) + "\n"


if __name__ == "__main__":
    for family in FAMILIES:
        (FOLDER / f"{family}.json").write_text(snapshot(family))
