"""An evaluation or a sample that fails: the step is saved, and the run says what failed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recipes.commands import main
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.metrics import read_metrics

pytestmark = pytest.mark.fault(28)


@pytest.mark.parametrize(("function", "what"), [("evaluate", "evaluation"), ("excerpt", "sample")])
def test_the_step_is_saved_and_the_run_goes_on_from_it(
    function: str,
    what: str,
    tmp_path: Path,
    train: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError("no room for logits")

    run = tmp_path / "run"
    with monkeypatch.context() as broken:
        broken.setattr(f"recipes.nanogpt.{function}", fail)
        assert train("run", "--max-steps", "40") == 2
    error = capsys.readouterr().err
    assert f"The {what} after step 20 failed: no room for logits. The step is saved." in error
    assert Checkpoints(run / "checkpoints").steps() == [20]
    assert [row["step"] for row in read_metrics(run / "metrics.jsonl")] == [10, 20]
    assert main(["train", "--run-dir", str(run), "--resume", "auto"]) == 0
    assert [row["step"] for row in read_metrics(run / "metrics.jsonl")] == [10, 20, 30, 40]
