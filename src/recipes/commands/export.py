"""`export RUN FOLDER`: a run as a published model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Export:
    """Write a run as a folder that other libraries load as a GPT-2, with the same logits.

    Attributes:
        run: Folder of the run.
        folder: Folder that is written.
    """

    run: tyro.conf.Positional[Path]
    folder: tyro.conf.Positional[Path]

    def __call__(self) -> int:
        """Write the configuration, the weights and the tokenizer."""
        from recipes.runs.published import export

        export(self.run, self.folder)
        print(f"{self.folder}: config.json, model.safetensors and tokenizer.json of a GPT-2.")
        return 0
