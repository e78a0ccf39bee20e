import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_recipe import TEXT

from recipes.commands import main

Sample = Callable[..., str]


@pytest.fixture
def sample(finished: Path, capsys: pytest.CaptureFixture[str]) -> Sample:
    """What `sample` prints."""

    def run(*options: str, prompt: str = "the ", tokens: int = 30) -> str:
        words = ["sample", str(finished), "--prompt", prompt, "--tokens", str(tokens), *options]
        assert main(words) == 0
        return capsys.readouterr().out

    return run


def test_a_text_continues_the_prompt_by_as_many_tokens_as_asked(sample: Sample) -> None:
    # Longer than the context of 16 tokens: the window slides.
    text = sample(tokens=50)
    assert text.startswith("the ")
    assert len(text) == len("the ") + 50 + len("\n")
    assert set(text.strip()) <= set(TEXT)


def test_the_seed_decides_the_text(sample: Sample) -> None:
    assert sample("--seed", "1") == sample("--seed", "1")
    assert sample("--seed", "1") != sample("--seed", "2")


@pytest.mark.slow
def test_the_most_probable_text_does_not_depend_on_the_seed(sample: Sample) -> None:
    for greedy in (("--temperature", "0"), ("--top-k", "1"), ("--top-p", "1e-6")):
        assert sample(*greedy, "--seed", "1") == sample("--temperature", "0", "--seed", "2")


def test_several_texts_differ_and_the_first_is_the_one_alone(sample: Sample) -> None:
    texts = sample("--num", "3").split("\n---\n")
    assert len(set(texts)) == 3
    assert texts[0].strip() == sample().strip()


def test_a_prompt_comes_from_the_standard_input(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("the cat "))
    assert sample(prompt="-") == sample(prompt="the cat ")


def test_without_a_prompt_a_text_starts_with_what_the_vocabulary_has(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "\n" not in TEXT
    assert main(["sample", str(finished), "--tokens", "5"]) == 0
    text = capsys.readouterr().out
    assert len(text.removesuffix("\n")) == 6


def test_a_run_without_a_checkpoint_is_refused(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ignore = shutil.ignore_patterns("checkpoints")
    shutil.copytree(finished, tmp_path / "run", ignore=ignore)
    assert main(["sample", str(tmp_path / "run")]) == 2
    assert "There is no checkpoint" in capsys.readouterr().err


def test_a_run_of_another_version_is_refused(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    config = tmp_path / "run" / "config.json"
    content = json.loads(config.read_text().replace("num_heads", "heads_of_old"))
    config.write_text(json.dumps({name: content[name] for name in content if name != "sha256"}))
    assert main(["sample", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "config.json is damaged or of another version" in error
    assert "heads_of_old" in error
