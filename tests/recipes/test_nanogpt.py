"""The recipe end to end, in this process, on small models and texts."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

from recipes.commands import main
from recipes.nanogpt import GPTConfig, build_gpt
from recipes.presets import PRESETS, Recipe
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.metrics import read_metrics

TEXT = "the cat sat on the mat and the dog sat on the log. " * 60
SMALL = [
    *("train", "quick", "--model.num-layers", "1", "--model.num-heads", "2"),
    *("--model.features", "16", "--model.context", "16", "--batch-size", "4"),
    *("--model.dropout-rate", "0.1", "--trainer.eval-every", "20"),
]

Run = Callable[..., int]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def train(tmp_path: Path, corpus: Path) -> Run:
    def run(name: str, *options: str) -> int:
        return main([*SMALL, "--data", str(corpus), "--run-dir", str(tmp_path / name), *options])

    return run


def rows(path: Path) -> list[dict[str, float]]:
    return [
        {k: v for k, v in row.items() if k != "seconds"}
        for row in read_metrics(path / "metrics.jsonl")
    ]


def test_a_run_folder_is_complete_and_can_be_moved(
    tmp_path: Path, train: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("a", "--max-steps", "40") == 0
    printed = capsys.readouterr().out
    assert "validation loss" in printed
    assert "\x1b" not in printed
    moved = tmp_path / "elsewhere"
    shutil.move(tmp_path / "a", moved)
    names = {path.name for path in moved.iterdir()} - {".lock"}
    assert names == {
        *("config.json", "env.json", "metrics.jsonl", "samples", "checkpoints", "tokenizer.json")
    }
    table = rows(moved)
    assert [row["step"] for row in table] == [10, 20, 30, 40]
    assert {"train_loss", "tokens"} <= table[0].keys()
    assert [row["step"] for row in table if "val_loss" in row] == [20, 40]
    assert sorted(path.name for path in (moved / "samples").iterdir()) == [
        "step_000020.txt",
        "step_000040.txt",
    ]
    assert json.loads((moved / "config.json").read_text())["model"]["vocab_size"] == len(set(TEXT))

    assert main(["eval", str(moved)]) == 0
    measured = float(capsys.readouterr().out.split("nats per token")[1].split()[0])
    np.testing.assert_allclose(
        measured, min(r["val_loss"] for r in table if "val_loss" in r), atol=1e-4
    )

    for _ in range(2):
        assert main(["sample", str(moved), "--prompt", "the ", "--tokens", "40"]) == 0
    text = capsys.readouterr().out
    assert len(text) == 2 * 45
    assert text[:45] == text[45:]
    assert text.startswith("the ")
    assert main([*SMALL, "--data", str(tmp_path / "text.txt"), "--run-dir", str(moved),
                 "--max-steps", "60", "--resume", "auto"]) == 0  # fmt: skip
    assert [row["step"] for row in rows(moved)] == [10, 20, 30, 40, 50, 60]


def test_resuming_equals_never_stopping(tmp_path: Path, train: Run) -> None:
    assert train("whole", "--max-steps", "60", "--optimizer.decay-steps", "60") == 0
    # An interrupt in the middle: the row that is being computed is finished and saved.
    first = tmp_path / "parts" / "metrics.jsonl"

    def stop() -> None:
        while not first.exists() or len(first.read_text().splitlines()) < 1:
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop)
    stopper.start()
    code = train("parts", "--max-steps", "60", "--optimizer.decay-steps", "60")
    stopper.join()
    assert code == 143
    done = rows(tmp_path / "parts")[-1]["step"]
    assert done < 60
    resume = ("--max-steps", "60", "--optimizer.decay-steps", "60", "--resume", "auto")
    assert train("parts", *resume) == 0
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")
    chex.assert_trees_all_equal(
        *(Checkpoints(tmp_path / n / "checkpoints").restore_params() for n in ("parts", "whole"))
    )


def test_a_finished_run_says_so(tmp_path: Path, train: Run, capsys) -> None:
    assert train("a", "--max-steps", "20") == 0
    capsys.readouterr()
    assert train("a", "--max-steps", "20", "--resume", "auto") == 0
    assert "is done: it has 20 of 20 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "cause", "fix"),
    [
        (["train", "shakespear"], "no preset 'shakespear'", "Use 'shakespeare"),
        (["train", "quick", "--data", "missing.txt"], "missing.txt", ""),
        (["train", "quick", "--data", "shakespear"], "shakespear", "shakespeare"),
        (["train", "quick", "--model.num-heads", "5"], "num_heads=5 must divide features=128", "8"),
        (["train", "quick", "--model.context", "0"], "context=0 must be at least 1", ""),
        (["train", "quick", "--model.dropout-rate", "1"], "dropout_rate=1.0 must be", ""),
        (["train", "quick", "--trainer.log-every", "0"], "log_every=0 must be at least 1", ""),
        (["train", "quick", "--optimizer.beta1", "2"], "beta1=2.0 must be", ""),
        (["train", "quick", "--resume", "auto"], "needs the folder of a run", "--run-dir"),
        (["train", "quick", "--resume", "x", "--run-dir", "RUN"], "--resume x is no step", "auto"),
        (["train", "quick", "--run-dir", "RUN"], "is not empty", "--resume auto"),
        (["train", "quick", "--run-dir", "FILE"], "is a file, not a folder", "--run-dir"),
        (["sample", "nowhere"], "'nowhere' holds no run", "folder"),
        (["sample", "RUN", "--prompt", "日本"], "'日', '本'", ""),
        (["sample", "RUN", "--temperature", "-1"], "temperature=-1.0 must be at least 0", ""),
        (["sample", "RUN", "--top-k", "0"], "top_k=0 must be at least 1", ""),
        (["sample", "RUN", "--top-p", "2"], "top_p=2.0 must be above 0 and at most 1", ""),
        (["sample", "RUN", "--tokens", "0"], "tokens=0 must be at least 1", ""),
        (["eval", "RUN", "--data", "EMPTY"], "empty", ""),
        (["size", "gpt3"], "no preset 'gpt3'", "gpt2-124m"),
    ],
)
def test_bad_input_gets_a_cause_and_a_fix(
    arguments: list[str], cause: str, fix: str, finished: Path, tmp_path: Path, capsys
) -> None:
    empty = tmp_path / "empty.txt"
    empty.touch()
    names = {"RUN": str(finished), "FILE": str(empty), "EMPTY": str(empty)}
    assert main([names.get(word, word) for word in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 2
    first, second = error.splitlines()
    assert first.startswith("error: ")
    assert cause in first
    assert second.startswith("fix:   ")
    assert fix in second


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "text.txt").write_text(TEXT)
    run = folder / "run"
    assert (
        main(
            [*SMALL, "--data", str(folder / "text.txt"), "--run-dir", str(run), "--max-steps", "10"]
        )
        == 0
    )
    return run


def test_a_corpus_shorter_than_the_context_is_refused(tmp_path: Path, capsys) -> None:
    (tmp_path / "short.txt").write_text("too short " * 10)
    assert main(["train", "quick", "--data", str(tmp_path / "short.txt")]) == 2
    assert "context=" in capsys.readouterr().err


def test_other_settings_are_refused_field_by_field(train: Run, capsys) -> None:
    assert train("a", "--max-steps", "10") == 0
    assert train("a", "--max-steps", "20", "--resume", "auto", "--model.features", "32") == 2
    assert "model.features is 16 in the run and 32 now" in capsys.readouterr().err
    assert train("a", "--max-steps", "20", "--resume", "auto", "--seed", "1") == 2
    assert "seed is 1337 in the run and 1 now" in capsys.readouterr().err


def test_another_text_is_refused(tmp_path: Path, train: Run, corpus: Path, capsys) -> None:
    assert train("a", "--max-steps", "10") == 0
    corpus.write_text(TEXT[::-1])
    assert train("a", "--max-steps", "20", "--resume", "auto") == 2
    assert "is not the text that the run was trained on" in capsys.readouterr().err
    assert main(["eval", str(tmp_path / "a")]) == 2
    assert "is not the text that the run was trained on" in capsys.readouterr().err


def test_a_folder_in_use_is_refused(train: Run, tmp_path: Path, capsys) -> None:
    from recipes.run_folder import claimed

    with claimed(tmp_path / "a", resume=False):
        assert train("a") == 2
    assert "is training in" in capsys.readouterr().err


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_their_config_file(name: str) -> None:
    assert Recipe.from_json(json.loads(json.dumps(PRESETS[name].as_json()))) == PRESETS[name]


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        # By hand: vocabulary and positions, then per layer 12 d^2 and the norms and biases.
        (PRESETS["gpt2-124m"].model, 124_439_808),  # as OpenAI's small GPT-2
        (
            GPTConfig(num_layers=4, num_heads=4, features=128, context=64, vocab_size=65),
            65 * 128 + 64 * 128 + 4 * (12 * 128**2 + 2 * 128) + 128,
        ),
        (
            PRESETS["lecture"].model.__class__(
                **{**vars(PRESETS["lecture"].model), "vocab_size": 65}
            ),
            65 * 384 + 256 * 384
            + 6 * (12 * 384**2 + 384 + 4 * 384 + 384 + 4 * 384)
            + 2 * 384 + 65 * 384 + 65,
        ),
    ],
    ids=["gpt2-124m", "shakespeare-char-cpu", "lecture"],
)  # fmt: skip
def test_models_have_the_parameters_of_the_originals(config: GPTConfig, parameters: int) -> None:
    model = build_gpt(config)
    tokens = jax.ShapeDtypeStruct((1, 1), np.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), tokens)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == parameters


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["train", "quik"]])
def test_help_and_mistakes_are_answered_without_jax(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom recipes.commands import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "assert not sys.modules.keys() & {'jax', 'flax', 'grain', 'orbax'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
