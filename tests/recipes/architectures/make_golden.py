"""Make the golden files of rows, in an environment with PyTorch and `transformers`.

PYTHONPATH=tests:tests/support python tests/recipes/architectures/make_golden.py [ROW...]
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from reference_rows import GOLDEN, GOLDEN_TOKENS, all_rows

from reference import open_reference, reference_outputs


def main(names: list[str]) -> None:
    rows = all_rows()
    for name in names or rows:
        row = rows[name]
        with tempfile.TemporaryDirectory() as folder:
            model, tensors = open_reference(row, Path(folder))
            config = json.loads((Path(folder) / "config.json").read_text())
            found = reference_outputs(row, model, tokens=GOLDEN_TOKENS)
        shapes = {name: [*array.shape] for name, array in tensors.items()}
        GOLDEN.mkdir(exist_ok=True)
        np.savez_compressed(
            GOLDEN / f"{name}.npz",
            config=json.dumps(config, sort_keys=True),
            shapes=json.dumps(shapes, sort_keys=True),
            **{key: np.asarray(array) for key, array in found.items()},
        )
        print(name, f"{(GOLDEN / f'{name}.npz').stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
