"""The command line: what words mean, and how mistakes are answered."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import start
from small_recipe import SMALL, TEXT

import blocks
from recipes.commands import main
from recipes.commands.line import parse
from recipes.commands.train import Train
from recipes.config import Recipe
from recipes.errors import RecipeError
from recipes.presets import PRESETS


def settings(command: object) -> Recipe:
    assert isinstance(command, Train)
    return Recipe(**{name: getattr(command, name) for name in Recipe.__dataclass_fields__})


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_trained_as_it_stands(name: str) -> None:
    assert settings(parse(["train", name])) == PRESETS[name]


def test_train_alone_is_quick() -> None:
    assert parse(["train"]) == parse(["train", "quick"])


def test_no_words_at_all_train_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def called(command: Train) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr(Train, "__call__", called)
    assert main([]) == 0
    assert commands == [parse(["train", "quick"])]


def test_options_change_a_preset_field_by_field() -> None:
    words = "train lecture --data x.txt --batch-size 3 --seed 5 --model.features 12 "
    words += "--model.use-qkv-bias --optimizer.clip-norm 0.5 --trainer.eval-every 7"
    given, lecture = settings(parse(words.split())), PRESETS["lecture"]
    assert (given.data, given.batch_size, given.seed) == (("x.txt",), 3, 5)
    assert (given.model.features, given.model.use_qkv_bias) == (12, True)
    assert (given.optimizer.clip_norm, given.trainer.eval_every) == (0.5, 7)
    assert given.model.context == lecture.model.context
    assert given.optimizer.learning_rate == lecture.optimizer.learning_rate
    assert given.trainer.max_steps == lecture.trainer.max_steps


def test_a_setting_that_only_another_preset_could_have_is_read_with_its_own() -> None:
    """Six heads divide the width of `lecture`, not that of `quick`."""
    assert settings(parse(["train", "lecture", "--model.num-heads", "3"])).model.num_heads == 3


@pytest.mark.parametrize(
    ("words", "cause", "fix"),
    [
        ("train shakespear", "no preset 'shakespear'", "Use 'shakespeare-char'"),
        ("train lecture --data missing.txt", "'missing.txt' does not exist", "path of a text"),
        ("train quick --data shakespear", "'shakespear' is neither", "'shakespeare', the nearest"),
        ("train quick --data EMPTY", "is empty", "text in it"),
        ("train quick --data SHORT", "context=64 needs 65", "641 tokens or more"),
        ("train quick --tokenizer bytes --data SHORT", "context=64 needs 65", "641 tokens"),
        ("train quick --model.num-heads 5", "num_heads=5 must divide features=128", "4, 8"),
        ("train quick --model.context 0", "context=0 must be at least 1", "size"),
        ("train quick --model.dropout-rate 1", "dropout_rate=1.0 must be", "0.1 or 0.2"),
        ("train quick --model.vocab-size 300", "--model.vocab-size is not", "Leave it out"),
        ("train quick --trainer.log-every 0", "log_every=0 must be at least 1", "count"),
        (
            "train quick --trainer.accumulate 3",
            "accumulate=3 must divide batch_size",
            "Use one of 1, 2, 4, 8, 16",
        ),
        ("train quick --optimizer.beta1 2", "beta1=2.0 must be", "0.9"),
        ("train quick --batch-size 0", "batch_size=0 must be at least 1", "12"),
        ("train quick --seed -1", "seed=-1 is out of range", "4294967295"),
        ("train quick --max-steps 0", "max_steps=0 must be at least 1", "count"),
        ("train --max-steps 3 lecture", "'lecture' stands after an option", "train lecture"),
        ("train quick --tokenizer bpe:9", "must have 257 tokens or more", "bpe:4096"),
        ("train quick --tokenizer gone.json", "'gone.json' does not exist", "tokenizer.json"),
        ("train quick --data OTHER/*.md", "No file matches", "any depth"),
        ("train quick --resume auto", "needs the folder of a run", "--run-dir"),
        ("train quick --resume x --run-dir RUN", "--resume x is not a step", "auto"),
        ("train --resume 7 --run-dir RUN", "no checkpoint of step 7", "There are: 10"),
        ("train quick --resume 7 --run-dir NEW", "holds no run", "folder"),
        ("train quick --resume auto --run-dir OTHER", "holds files, but no run", "empty"),
        ("train quick --run-dir RUN", "is not empty", "--resume auto"),
        ("train quick --run-dir EMPTY", "is a file, not a folder", "another path"),
        ("train quick --run-dir EMPTY/below", "cannot be written: Not a directory", "permissions"),
        ("train --run-dir RUN --resume auto --data OTHER/x.txt", "is not the text that", "--data"),
        ("sample nowhere", "'nowhere' holds no run", "folder"),
        ("sample OTHER", "holds no run", "folder"),
        ("sample RUN --prompt 日本", "lacks '日', '本'", "Leave them out"),
        ("sample RUN --temperature -1", "temperature=-1.0 must be at least 0", "0.8"),
        ("sample RUN --top-k 0", "top_k=0 must be a whole number of at least 1", "Leave it out"),
        ("sample RUN --top-p 2", "top_p=2.0 must be above 0 and at most 1", "Leave it out"),
        ("sample RUN --tokens 0", "tokens=0 must be at least 1", "count"),
        ("sample RUN --num 0", "num=0 must be at least 1", "count"),
        ("eval nowhere", "'nowhere' holds no run", "folder"),
        ("eval RUN --data EMPTY", "is empty", "text in it"),
        ("eval RUN --data manual", "The vocabulary of 14 characters lacks", "Leave them out"),
        ("size gpt3", "no preset 'gpt3'", "one of 'quick'"),
    ],
)
def test_bad_input_gets_a_cause_and_a_fix(
    words: str,
    cause: str,
    fix: str,
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = {name: tmp_path / name for name in ("EMPTY", "SHORT", "NEW", "OTHER")}
    paths["EMPTY"].touch()
    paths["SHORT"].write_text("short " * 10)
    paths["OTHER"].mkdir()
    (paths["OTHER"] / "x.txt").write_text(TEXT + TEXT)
    for name, path in {**paths, "RUN": finished}.items():
        words = words.replace(name, str(path))
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    first, second = error.splitlines()
    assert first.startswith("error: ")
    assert cause in first
    assert second.startswith("fix:   ")
    assert fix in second
    assert not paths["NEW"].exists()


@pytest.mark.parametrize(
    "words", ["train quick --model.num-head 4", "trian", "sample", "size quick b"]
)
def test_words_that_no_command_has_end_with_the_same_code(words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2


def test_the_version_is_that_of_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"linen-blocks {blocks.__version__}\n"


def test_debug_shows_where_a_mistake_was_found() -> None:
    with pytest.raises(RecipeError, match="no preset 'nothing'"):
        main(["train", "nothing", "--debug"])


def test_a_mistake_leaves_no_folder_behind(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus.write_text("too short")
    assert main([*SMALL, "--data", str(corpus)]) == 2
    assert list(tmp_path.glob("runs/*")) == []


@pytest.mark.slow
def test_a_run_gets_a_folder_of_its_own_below_runs(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs of the same second, and a text named by a path that only holds from here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda form: "20300101-000000")
    for _ in range(2):
        assert main([*SMALL, "--data", corpus.name, "--max-steps", "1"]) == 0
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    stem = "quick-20300101-000000"
    assert names == [stem, f"{stem}_2"]
    monkeypatch.chdir("/")
    assert main(["eval", str(tmp_path / "runs" / names[0])]) == 0


@pytest.mark.parametrize("words", ["--help", "train --help", "train quik", "train --data nothing"])
def test_help_and_mistakes_are_answered_without_jax(words: str) -> None:
    code = (
        "import sys\nfrom recipes.commands import main\n"
        f"try: main({words.split()!r})\nexcept SystemExit: pass\n"
        "assert not sys.modules.keys() & {'jax', 'flax', 'grain', 'orbax'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_help_shows_the_values_of_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "shakespeare-char-cpu", "--help"])
    printed = capsys.readouterr().out
    options = " ".join(printed.split("--batch-size", 1)[1].split())
    assert "(default: 12)" in options[: options.index("--seed")]


def test_an_interrupt_before_training_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(command: Train) -> int:
        # As at a terminal: a shell starts what runs in its background with interrupts ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.kill(os.getpid(), signal.SIGINT)
        return 0

    monkeypatch.setattr(Train, "__call__", interrupted)
    assert main(["train"]) == 130
    assert "Stopped at once" in capsys.readouterr().err


@pytest.mark.slow
def test_a_reader_that_has_enough_is_no_error(finished: Path) -> None:
    """As in `sample RUN | head -c 5`."""
    with start("sample", finished, "--tokens", 100_000) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert len(process.stdout.read(5)) == 5
        process.stdout.close()
        assert process.wait() == 0
        assert process.stderr.read() == ""


def test_a_changed_text_is_refused(
    tmp_path: Path,
    train: Callable[..., int],
    corpus: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train("a", "--max-steps", "10") == 0
    corpus.write_text(TEXT[::-1])
    assert train("a", "--max-steps", "20", "--resume", "auto") == 2
    assert "is not the text that the run was trained on" in capsys.readouterr().err
    assert main(["eval", str(tmp_path / "a")]) == 2
    assert "is not the text that the run was trained on" in capsys.readouterr().err
    assert main(["eval", str(tmp_path / "a"), "--data", str(corpus)]) == 0


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["size", "--help"]])
def test_help_requires_nothing_that_has_a_default(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert "(required)" not in capsys.readouterr().out
