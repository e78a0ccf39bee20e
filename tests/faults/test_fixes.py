"""Every fix that an error of a run offers is followed, and leads on."""

import re
import shlex
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixes import COMMANDS, ELSEWHERE, NOT_BY_A_COMMAND, OPTIONS, errors, matches
from small_recipe import TEXT

from recipes.commands import main
from recipes.commands.line import parse
from recipes.data.batches import split_tokens, training_batches
from recipes.data.kinds import check_kind
from recipes.errors import RecipeError

pytestmark = pytest.mark.fault(57)


@pytest.mark.parametrize(("cause", "given", "fix", "followed"), OPTIONS)
def test_options_that_are_advised_are_taken(
    cause: str, given: str, fix: str, followed: str
) -> None:
    with pytest.raises(RecipeError) as refused:
        parse(["train", "quick", *given.split()])
    assert matches(cause, refused.value.cause)
    assert fix in refused.value.fix
    parse(["train", "quick", *followed.split()])


# Commands that went on, of which many fixes advise the same.
FOLLOWED: set[str] = set()


@pytest.mark.parametrize(("cause", "given", "fix", "followed"), COMMANDS)
def test_commands_that_are_advised_go_on(
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    cause: str,
    given: str,
    fix: str,
    followed: str,
) -> None:
    other, empty = tmp_path / "other", tmp_path / "empty"
    other.mkdir()
    (other / "x.txt").write_text(TEXT + TEXT)
    empty.touch()
    places = {"OTHER": other, "EMPTY": empty, "RUN": finished, "TEXT": finished.parent / "text.txt"}

    def run(words: str) -> int:
        for name, path in places.items():
            words = words.replace(name, str(path))
        return main(words.split())

    assert run(given) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert matches(f"error: {cause}", first)
    assert fix in second
    if followed not in FOLLOWED:
        assert run(followed) == 0
        FOLLOWED.add(followed)


# The same with functions.
CALLS: list[tuple[str, Callable[[], object], str, Callable[[], object]]] = [
    (
        "--tokenizer {} does not say",
        lambda: check_kind("bpe"),
        "Write bpe:4096",
        lambda: check_kind("bpe:4096"),
    ),
    (
        "--tokenizer {} must have",
        lambda: check_kind("bpe:9"),
        "Use bpe:4096",
        lambda: check_kind("bpe:4096"),
    ),
    (
        "The corpus has {} tokens",
        lambda: split_tokens(np.arange(640), 64),
        "641 tokens or more, or context=63 at most",
        lambda: (split_tokens(np.arange(641), 64), split_tokens(np.arange(640), 63)),
    ),
    (
        "seed={} is out",
        lambda: training_batches(np.arange(50), context=4, batch_size=2, seed=2**32),
        "4294967295",
        lambda: training_batches(np.arange(50), context=4, batch_size=2, seed=4294967295),
    ),
]


@pytest.mark.parametrize(("cause", "given", "fix", "followed"), CALLS)
def test_arguments_that_are_advised_are_taken(
    cause: str, given: Callable[[], object], fix: str, followed: Callable[[], object]
) -> None:
    with pytest.raises(RecipeError) as refused:
        given()
    assert matches(cause, refused.value.cause)
    assert fix in refused.value.fix
    followed()


def test_a_run_without_its_only_checkpoint_goes_on_as_it_is_told(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Damaged, deleted as the fix says, and trained anew by the command that `sample` prints."""
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    record = run / "checkpoints/step_000010/record.json"
    record.write_bytes(record.read_bytes()[:-9])
    assert main(["train", "--run-dir", str(run), "--resume", "auto"]) == 2
    assert "or delete its folder" in capsys.readouterr().err
    shutil.rmtree(record.parent)
    assert main(["sample", str(run), "--tokens", "1"]) == 2
    command = capsys.readouterr().err.partition("or use python -m recipes.nanogpt ")[2]
    assert main(shlex.split(command.strip().rstrip("."))) == 0
    assert main(["sample", str(run), "--tokens", "1"]) == 0


def test_a_file_that_was_lost_is_read_again_from_a_copy(finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    for name in ("config.json", "tokenizer.json"):
        (run / name).write_bytes(b"{")
        with pytest.raises(RecipeError, match="Restore it from a copy of the run"):
            main(["sample", str(run), "--debug"])
        shutil.copy(finished / name, run)
    assert main(["sample", str(run), "--tokens", "1"]) == 0


def test_every_option_and_extra_that_a_fix_names_exists(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    printed = ""
    for command in ("train", "sample", "eval", "compare", "doctor"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        printed += capsys.readouterr().out
    for cause, fix in errors():
        for option in re.findall(r"(?<![\w-])--[a-z]+(?:[.-][a-z]+)*", fix.replace("--debug", "")):
            known = {option, option.replace("--", "--no-"), option.replace("--no-", "--")}
            other = option in ("--lr", "--xla", "--option")
            assert other or any(name in printed for name in known), (cause, fix)
        for extra in re.findall(r"linen-blocks\[(\w+)\]", fix):
            assert extra in project["optional-dependencies"]


def test_every_error_of_a_run_is_followed_or_says_who_can() -> None:
    starts = [row[0] for row in (*OPTIONS, *COMMANDS, *CALLS)]
    starts += [*ELSEWHERE, *re.split(r"[|\n]", NOT_BY_A_COMMAND.strip())]
    assert [cause for cause, _ in errors() if not cause.startswith(tuple(starts))] == []
    causes = [cause for cause, _ in errors()]
    assert [start for start in starts if not any(c.startswith(start) for c in causes)] == []
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in ELSEWHERE.values() if f"def {name}" not in tests] == []
