"""More memory than there is: foreseen, or one sentence, and nothing left behind."""

from pathlib import Path

import jax.numpy as jnp
import pytest
from processes import ended, start
from small_runs import Run

from recipes.commands import main
from recipes.commands.evaluate import Eval
from recipes.commands.failures import explained
from recipes.memory import least_bytes
from recipes.presets import PRESETS
from recipes.size import size_of

GIBIBYTE = 2**30


LIMITED = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({8 * GIBIBYTE},) * 2)"


@pytest.mark.fault(52)
def test_a_model_past_the_limit_of_the_process_is_refused_before_anything(tmp_path: Path) -> None:
    run = tmp_path / "run"
    # 12 x 24 x 4096^2 parameters, in four copies of four bytes.
    sizes = ("--model.features", 4096, "--model.num-heads", 32, "--model.num-layers", 24)
    code, _, said = ended(start("train", "quick", *sizes, "--run-dir", run, before=LIMITED))
    assert code == 2
    assert "need at least 72." in said
    assert "this machine has 8.0 GiB" in said
    assert "Traceback" not in said
    assert not run.exists()


@pytest.mark.fault(58)
@pytest.mark.parametrize(
    "options",
    [
        ["--model.num-layers", str(10**9)],
        ["--model.context", str(10**12)],
        ["--batch-size", str(10**12)],
        ["--model.features", str(4 * 10**9)],
    ],
)
def test_sizes_past_any_memory_are_refused(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["train", "quick", *options, "--run-dir", str(run)]) == 2
    assert "need at least" in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.fault(52)
@pytest.mark.parametrize("name", ["quick", "lecture", "shakespeare-char", "gpt2-124m"])
def test_what_is_foreseen_is_no_more_than_what_size_says(name: str) -> None:
    recipe = PRESETS[name]
    parameters = least_bytes(recipe) - recipe.model.num_layers * 2**20
    if recipe.model.vocab_size is not None:
        assert parameters < 1.5 * size_of(recipe.model).training_bytes
    assert least_bytes(recipe) < 4 * GIBIBYTE


@pytest.mark.fault(52)
def test_an_allocation_that_fails_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def allocate(command: Eval) -> int:
        jnp.zeros(2**46).block_until_ready()
        return 0

    monkeypatch.setattr(Eval, "__call__", allocate)
    assert main(["eval", str(finished)]) == 2
    error = capsys.readouterr().err
    assert "error: There is not enough memory" in error
    assert len(error.splitlines()) == 2


@pytest.mark.fault(52)
def test_a_start_without_memory_leaves_no_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, train: Run
) -> None:
    def allocate(*arguments: object) -> None:
        jnp.zeros(2**46).block_until_ready()

    monkeypatch.setattr("recipes.trainer.loop.Trainer._compile", allocate)
    assert train("run", "--max-steps", "10") == 2
    assert not (tmp_path / "run").exists()


def test_other_errors_are_not_explained() -> None:
    assert explained(ValueError("a mistake of ours")) is None
    assert explained(FileNotFoundError(2, "No such file")) is None
