from pathlib import Path
from types import SimpleNamespace

import numpy as np

from recipes.data import ByteTokenizer
from recipes.data.encoded import as_encoded
from recipes.runs.folder import RunFolder
from recipes.runs.report import closing


def test_the_end_says_whose_parameters_are_used(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.metrics.write_text('{"step": 10, "val_loss": 1.5}\n{"step": 20, "val_loss": 2.5}\n')
    trainer = SimpleNamespace(seconds=1.0, compile_seconds=1.0)

    def end(step: int, loss: float) -> str:
        row = {"step": step, "val_loss": loss}
        return closing(trainer, row, ByteTokenizer(), as_encoded(np.arange(65, 75)), run)

    assert "best            1.500 after step 10: sample, eval and export use" in end(20, 2.5)
    assert "best " not in end(10, 1.5)
