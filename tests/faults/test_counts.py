"""Numbers that would need gigabytes for bookkeeping: refused, or harmless."""

from pathlib import Path

import chex
import pytest
from recipes_tiny import SETTINGS, Batches, loss, make_state
from small_runs import Run

from recipes.commands import main
from recipes.trainer import loop
from recipes.trainer.loop import Trainer
from recipes.trainer.metrics import read_metrics

pytestmark = pytest.mark.fault(58)


def test_rows_a_billion_steps_apart_take_no_more_memory(tmp_path: Path, train: Run) -> None:
    """A billion batches of 512 bytes are stacked for one row, if they are."""
    options = ("--trainer.log-every", str(10**9), "--trainer.eval-every", str(10**9))
    assert train("run", "--max-steps", "15", *options, "--trainer.max-skipped", str(10**9)) == 0
    assert [row["step"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl")] == [15]


def test_a_row_of_several_dispatches_equals_one_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained() -> tuple[Trainer, list[dict[str, float]]]:
        trainer = Trainer(make_state(), loss=loss, settings=SETTINGS)
        rows = list(trainer.train(Batches(bad=(3,))))
        return trainer, [{**row, "seconds": 0.0} for row in rows]

    whole, expected = trained()
    monkeypatch.setattr(loop, "GROUP_BYTES", 2 * (8 * 4 + 8) * 4)  # of two batches
    parts, rows = trained()
    assert rows == [pytest.approx(row, rel=1e-6) for row in expected]
    chex.assert_trees_all_close(parts.state.params, whole.state.params, rtol=1e-5)
    assert parts.position == whole.position


@pytest.mark.parametrize(
    ("option", "cause"),
    [
        ("--max-steps", "max_steps=1000000000000 is more than the 2147483647 steps"),
        ("--optimizer.warmup-steps", "warmup_steps=1000000000000 is more than the 2147483647"),
        ("--optimizer.decay-steps", "decay_steps=1000000000000 is more than the 2147483647"),
    ],
)
def test_steps_past_what_devices_count_are_refused(
    option: str, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "quick", option, str(10**12)]) == 2
    assert cause in capsys.readouterr().err
