"""Files of a run that were changed, cut short, converted or made unreadable between commands."""

import contextlib
import functools
import itertools
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_recipe import TEXT
from small_runs import AnotherUser, rows

from recipes.commands import main
from recipes.config import Recipe
from recipes.data import Corpus, load_tokenizer
from recipes.data.sealed import read_sealed, write_sealed
from recipes.errors import RecipeError
from recipes.nanogpt import build_gpt, initial_state
from recipes.runs.folder import Resume, RunFolder
from recipes.runs.published import load_run
from recipes.runs.record import check_same_corpus, settled
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.metrics import find_lost_rows
from recipes.trainer.state import TrainState

JSON = ["config.json", "env.json", "tokenizer.json"]


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished run of ten steps, with one checkpoint."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def read_all(run: Path) -> str:
    """Read whatever `sample`, `eval` and `train --resume` read; give what is said of it.

    Raises:
        RecipeError: It is refused.
    """
    load_run(run)
    folder, corpus = RunFolder(run), Corpus("text.txt", TEXT)
    check_same_corpus(folder, corpus)
    recipe = Recipe.from_json(folder.read_config())
    recipe = settled(recipe, folder, load_tokenizer(folder.tokenizer), corpus, Resume())
    saved = Checkpoints(folder.checkpoints).restore(template(recipe))
    return find_lost_rows(folder.metrics, saved.metrics) or ""


@functools.cache
def template(recipe: Recipe) -> TrainState:
    return initial_state(recipe, build_gpt(recipe.model))


def read_files(run: Path) -> list[Path]:
    """The files that commands read; samples and pictures are for people."""
    files = [*run.glob("*.json*"), *(run / "checkpoints").rglob("*")]
    return sorted(path for path in files if path.is_file())


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# Single bits that are flipped; by hand FLIPS=200.
FLIPS = int(os.environ.get("FLIPS", "6"))
COMMANDS = {
    "train": ("train", "--resume", "auto", "--run-dir"),
    "sample": ("sample", "--tokens", "1"),
    "eval": ("eval",),
}
# Files that not all of them read.
READERS = {"env.json": ("train", "eval"), "metrics.jsonl": ("train",)}


@pytest.mark.fault(4, 42)
@pytest.mark.slow
def test_single_bits_flipped_in_any_file_are_named_by_every_command_that_reads_it(
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    draw, silent = random.Random(0), []
    for number in range(FLIPS):
        run = Path(shutil.copytree(finished, tmp_path / str(number)))
        path = draw.choice([path for path in read_files(run) if path.stat().st_size])
        content = path.read_bytes()
        bit = draw.randrange(8 * len(content))
        path.write_bytes(flipped(content, bit))
        readers = READERS.get(path.name, COMMANDS) if path.parent == run else COMMANDS
        for name in readers:
            # Rows that were lost come from the checkpoint, and training goes on.
            expected = 0 if path == run / "metrics.jsonl" else 2
            code = main([*COMMANDS[name], str(run)])
            printed = capsys.readouterr()
            said = printed.out + printed.err + caplog.text
            # The file, or the checkpoint that it is in.
            named = path.name in said or "checkpoint of step 10 is damaged" in said
            if code != expected or not named:
                silent.append((path, bit, name, code, said))
            caplog.clear()
        shutil.rmtree(run)
    print(f"{FLIPS} bits flipped, {len(silent)} silent")
    assert silent == []


@pytest.mark.fault(42)
@pytest.mark.parametrize("name", [*JSON, "metrics.jsonl"])
def test_every_byte_of_a_file_counts(run: Path, name: str) -> None:
    """One bit of each byte, and each byte as a space."""
    path = run / name
    content, folder = path.read_bytes(), RunFolder(run)
    readers: dict[str, Callable[[], Any]] = {
        "config.json": folder.read_config,
        "env.json": folder.read_env,
        "tokenizer.json": lambda: load_tokenizer(folder.tokenizer),
        "metrics.jsonl": lambda: _refuse(find_lost_rows(folder.metrics, content)),
    }
    readers[name]()
    for place, byte in enumerate(content):
        for other in {byte ^ 1 << place % 8, 0x20, 0x0D} - {byte}:
            path.write_bytes(content[:place] + bytes([other]) + content[place + 1 :])
            with pytest.raises(RecipeError, match=name):
                readers[name]()


def _refuse(said: str | None) -> None:
    if said:
        raise RecipeError(said, "")


@pytest.mark.fault(42, 57)
def test_an_edit_is_refused_until_its_digest_is_deleted(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, words = run / "config.json", ["sample", str(run), "--tokens", "1"]
    config.write_text(config.read_text().replace('"seed": 1337', '"seed": 7'))
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "config.json' is not what was written: its SHA-256 differs" in error
    assert "delete its first field to keep an edit" in error
    lines = config.read_text().splitlines()
    assert "sha256" in lines[1]
    config.write_text("\n".join([lines[0], *lines[2:]]))
    assert main(words) == 0


METRICS: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "no last line break": (lambda rows: rows.rstrip(), "is cut short"),
    "cut": (lambda rows: rows[:30], "is cut short"),
    "empty": (lambda rows: b"", "is cut short"),
    "missing": (lambda rows: None, "is missing"),
    "CRLF": (lambda rows: rows.replace(b"\n", b"\r\n"), "has other line ends"),
    "other rows": (lambda rows: b'{"step": "ten"}\nnull\n', "is not what was written"),
    "one bit": (lambda rows: flipped(rows, 77), "is not what was written"),
    "no UTF-8": (lambda rows: b"\xff" + rows, "is not what was written"),
    "deep": (lambda rows: b"[" * 100_000 + rows, "is not what was written"),
}


@pytest.mark.fault(44)
@pytest.mark.parametrize(("change", "said"), METRICS.values(), ids=METRICS)
def test_metrics_that_were_changed_are_restored_and_nothing_is_lost(
    run: Path,
    change: Callable[[bytes], bytes | None],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The run has ended, so that the restored file is all that is written."""
    path = run / "metrics.jsonl"
    before = path.read_bytes()
    changed = change(before)
    if changed is None:
        path.unlink()
    else:
        path.write_bytes(changed)
    assert main(["train", "--run-dir", str(run), "--resume", "auto"]) == 0
    printed = capsys.readouterr().out
    assert f"metrics.jsonl {said}" in printed
    assert "its rows are restored from the checkpoint" in printed
    assert path.read_bytes() == before
    kept = [aside.read_bytes() for aside in run.glob("metrics.found-*")]
    assert kept == ([] if said in ("is missing", "is cut short") else [changed])


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file below a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


REFUSED = {
    "done": ("--resume auto", 0),
    "done, shorter": ("--resume auto --max-steps 5", 0),
    "no resume": ("", 2),
    "other settings": ("--resume auto --model.features 32", 2),
    "other optimiser": ("--resume auto --optimizer.beta1 0.5 --max-steps 20", 2),
    "no such step": ("--resume 7 --max-steps 20", 2),
    "other text": ("--resume auto --max-steps 20 --data OTHER", 2),
    "other tokenizer": ("--resume auto --max-steps 20 --tokenizer bytes", 2),
    "other mesh": ("--resume auto --max-steps 20 --mesh data=3", 2),
}


@pytest.mark.fault(49)
@pytest.mark.parametrize(("options", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_or_done_changes_no_file(
    run: Path, tmp_path: Path, options: str, code: int
) -> None:
    other = tmp_path / "other.txt"
    other.write_text(TEXT + TEXT)
    before = state(run)
    words = options.replace("OTHER", str(other)).split()
    assert main(["train", "--run-dir", str(run), *words]) == code
    assert state(run) == before


@pytest.mark.fault(49)
def test_a_damaged_checkpoint_that_is_refused_changes_no_file(run: Path) -> None:
    record = run / "checkpoints/step_000010/record.json"
    record.write_bytes(flipped(record.read_bytes(), 99))
    before = state(run)
    words = ["train", "--run-dir", str(run), "--max-steps", "20", "--resume"]
    for resume in ("auto", "10"):
        assert main([*words, resume]) == 2
        assert state(run) == before


WRONG = [None, True, -1, 1.5, "x", [], {}, [[]], {"a": 1}, 10**400]
# One in three wrong fields is tried, which are of all kinds and of every field; by hand FIELDS=all.
TRIED = 1 if os.environ.get("FIELDS") == "all" else 3


def changed(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The content with each field of another type or missing, and fields of fields."""
    for name, value in content.items():
        for other in WRONG:
            yield {**content, name: other}
        yield {key: content[key] for key in content if key != name}
        if isinstance(value, dict):
            yield from ({**content, name: inner} for inner in changed(value))


def readable(run: Path) -> None:
    """A file may be as good as before, or is refused by name; anything else is a fault."""
    with contextlib.suppress(RecipeError):
        read_all(run)


@pytest.mark.fault(51)
@pytest.mark.slow
@pytest.mark.parametrize("name", JSON)
def test_fields_of_other_types_end_in_a_sentence(run: Path, name: str) -> None:
    content = json.loads((run / name).read_text())
    del content["sha256"]
    for other in itertools.islice(changed(content), 0, None, TRIED):
        (run / name).write_text(json.dumps(other))
        readable(run)


@pytest.mark.fault(51)
@pytest.mark.slow
def test_a_record_of_other_types_ends_in_a_sentence(run: Path) -> None:
    record = run / "checkpoints/step_000010/record.json"
    content = read_sealed(record)
    tables = {name: content.pop(name) for name in ("arrays", "files")}
    fields = changed({**content, **dict.fromkeys(tables)})
    for other in itertools.islice(fields, 0, None, TRIED):
        write_sealed(record, {**other, **{n: other.get(n) or tables[n] for n in tables}})
        readable(run)


WHOLE = {
    "empty": b"",
    "text": b"settings",
    "no UTF-8": b'{"a": "\xff"}',
    "number": b"3",
    "list": b"[1, 2]",
    "null": b"null",
    "deep": b"[" * 200_000,
    "deep names": b'{"a":' * 200_000,
    "no table inside": b'{"format": 1}',
    "not finite": b'{"seed": NaN}',
    "nul": b"\0" * 100,
}


@pytest.mark.fault(51)
@pytest.mark.parametrize("name", [*JSON, "record.json"])
@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_a_file_that_holds_something_else_is_named(run: Path, name: str, content: bytes) -> None:
    path = next(run.rglob(name))
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=name):
        read_all(run)


@pytest.mark.fault(51)
@pytest.mark.parametrize("name", [*JSON, "record.json"])
def test_a_file_of_200_megabytes_is_named(run: Path, name: str) -> None:
    path = next(run.rglob(name))
    os.truncate(path, 200_000_000)  # a hole, which takes no room
    with pytest.raises(RecipeError, match=rf"{name}.* more than [\d,]+ bytes"):
        read_all(run)


@pytest.mark.fault(54)
@pytest.mark.parametrize("umask", [0o022, 0o007, 0o077], ids=oct)
def test_modes_follow_the_umask(tmp_path: Path, train: Callable[..., int], umask: int) -> None:
    before = os.umask(umask)
    try:
        assert train("run", "--max-steps", "1") == 0
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    modes = {str(path): oct(path.stat().st_mode & 0o777) for path in files}
    assert set(modes.values()) == {oct(0o666 & ~umask)}, modes


@pytest.mark.fault(54)
@pytest.mark.parametrize(
    ("command", "name"),
    [
        (command, name)
        for command in ("sample", "eval", "train")
        for name in (".", *JSON, "checkpoints", "checkpoints/step_000010/record.json")
        if (command, name) != ("sample", "env.json")  # which it does not read
    ],
)
def test_a_run_of_another_user_is_not_called_damaged(
    run: Path,
    finished: Path,
    command: str,
    name: str,
    capsys: pytest.CaptureFixture[str],
    another_user: AnotherUser,
) -> None:
    finished.parent.chmod(0o755)  # where the text is
    (run / name).chmod(0)
    words = [command, str(run)]
    if command == "train":
        words = ["train", "--run-dir", str(run), "--resume", "auto", "--max-steps", "20"]
    with another_user(run):
        assert main(words) == 2
    error = capsys.readouterr().err
    assert "ermission denied" in error
    assert "damaged" not in error


@pytest.mark.fault(55)
def test_converted_line_ends_are_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [path for path in read_files(run) if b"\n" in path.read_bytes()]
    texts = [path for path in texts if b"\0" not in path.read_bytes()]
    before = {path: path.read_bytes() for path in texts}
    for path in texts:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert main(["sample", str(run)]) == 2
    assert "config.json' has line ends that were changed to CRLF" in capsys.readouterr().err
    for path in texts:
        if run in (path.parent, path.parent.parent.parent) and path.name in JSON:
            path.write_bytes(before[path])
    assert main(["sample", str(run)]) == 2
    assert "record.json' has line ends that were changed to CRLF" in capsys.readouterr().err


@pytest.mark.fault(55)
def test_each_session_notes_its_versions_and_says_what_changed(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(run)
    env = folder.read_env()
    env["sessions"][0]["versions"] |= {"python": "3.9.1", "jax": "0.4.0"}
    write_sealed(folder.env, env)
    assert main(["train", "--run-dir", str(run), "--resume", "auto", "--max-steps", "20"]) == 0
    assert "jax is 0.4.0 in the run and" in capsys.readouterr().out
    sessions = folder.read_env()["sessions"]
    assert [session["step"] for session in sessions] == [0, 10]
    assert [session["versions"]["python"] == "3.9.1" for session in sessions] == [True, False]
    assert [row["step"] for row in rows(run)] == [10, 20]


@pytest.mark.fault(55)
def test_a_corpus_that_changed_with_python_is_told(run: Path) -> None:
    folder = RunFolder(run)
    env = folder.read_env()
    env["corpus"]["name"] = "manual"
    env["sessions"][0]["versions"]["python"] = "3.9.1"
    write_sealed(folder.env, env)
    with pytest.raises(
        RecipeError, match=r"'manual' of Python .* which was that of Python 3\.9\.1"
    ):
        check_same_corpus(folder, Corpus("manual", "another text"))
