from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.data import ByteTokenizer
from recipes.data.encoded import as_encoded
from recipes.data.sealed import write_sealed
from recipes.presets import PRESETS
from recipes.runs.folder import RunFolder
from recipes.runs.report import closing, opening
from recipes.trainer.saved import RECORD

LOSSES = {10: 1.5, 20: 2.0, 30: 2.5}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run with three checkpoints, the first of which is the best."""
    run = RunFolder(tmp_path)
    rows = [f'{{"step": {step}, "val_loss": {loss}}}\n' for step, loss in LOSSES.items()]
    run.metrics.write_text("".join(rows))
    for step, loss in LOSSES.items():
        record(run, step).parent.mkdir(parents=True)
        write_sealed(record(run, step), {"val_loss": loss})
    return run


def record(run: RunFolder, step: int) -> Path:
    return run.checkpoints / f"step_{step:06d}" / RECORD


def end(run: RunFolder, step: int, loss: float) -> str:
    trainer = SimpleNamespace(seconds=1.0, compile_seconds=1.0)
    row = {"step": step, "val_loss": loss}
    return closing(trainer, row, ByteTokenizer(), as_encoded(np.arange(65, 75)), run)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (8, "64 x 64 tokens, 8 sequences at a time, attention by dot_product_attention"),
        (1, "x 64 tokens, attention by BandedAttention"),
    ],
)
def test_the_beginning_says_in_which_parts_a_batch_is_computed_and_by_which_kernel(
    tmp_path: Path, parts: int, words: str
) -> None:
    quick = PRESETS["quick"]
    trainer = replace(quick.trainer, accumulate=parts)
    recipe = replace(quick, batch_size=64, trainer=trainer)
    saved = SimpleNamespace(
        state=SimpleNamespace(step=0, params={}), damaged=(), later=(), metrics=b""
    )
    corpus = SimpleNamespace(name="text", characters=10)
    folder = RunFolder(tmp_path)
    write_sealed(folder.env, {"corpus": {"name": "", "sha256": ""}, "sessions": [{"versions": {}}]})
    assert opening(recipe, corpus, folder, saved).endswith(words)


def test_the_end_says_whose_parameters_are_used(run: RunFolder) -> None:
    assert "best            1.500 after step 10: sample, eval and export use" in end(run, 30, 2.5)
    assert "best " not in end(run, 10, 1.5)


def test_the_end_passes_over_a_damaged_checkpoint(run: RunFolder) -> None:
    record(run, 10).write_text("{}")
    assert "best            2.000 after step 20: sample, eval and export use" in end(run, 30, 2.5)


def test_the_end_knows_of_the_checkpoint_that_is_being_written(run: RunFolder) -> None:
    assert "best " not in end(run, 40, 1.0)
