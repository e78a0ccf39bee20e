from pathlib import Path

import jax
import pytest

from recipes.commands import main
from recipes.data import CharTokenizer, load_corpus
from recipes.presets import PRESETS
from recipes.runs.published import load_run


@pytest.mark.parametrize(
    ("preset", "parameters"),
    [("gpt2-124m", "124,439,808"), ("shakespeare-char", "10,745,088")],
)
def test_size_prints_the_published_numbers_of_parameters(
    preset: str, parameters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["size", preset]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["parameters", parameters] in [line.split() for line in lines]


def test_the_vocabulary_of_quick_is_that_of_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", "quick"]) == 0
    size = CharTokenizer.from_text(load_corpus("manual").text).vocab_size
    assert f"vocabulary {size}\n" in capsys.readouterr().out


def test_presets_are_listed_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    printed = capsys.readouterr().out
    names = [line.split()[0] for line in printed.splitlines() if not line.startswith(" ")]
    assert names == list(PRESETS)
    assert "4 layers, 4 heads, 128 features, context 64; 2000 steps of 12" in printed


def test_options_change_what_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", "shakespeare-char-cpu", "--model.num-layers", "2"]) == 0
    # As in the presets' test, of two layers: embedding, positions, 12 d^2 and two norms each.
    count = (65 + 64) * 128 + 2 * (12 * 128**2 + 2 * 128) + 128
    assert f"{count:,}" in capsys.readouterr().out


def test_a_run_is_counted(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", str(finished)]) == 0
    printed = capsys.readouterr().out
    assert "1 layers, 2 heads, 16 features, context 16, vocabulary 14" in printed
    leaves = jax.tree.leaves(load_run(finished).params)
    assert f"{sum(leaf.size for leaf in leaves):,}" in printed


def test_presets_say_what_tells_them_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    printed = capsys.readouterr().out
    assert "dropout 0.2, relu, biases, separate head; learning rate 0.0003 after 0" in printed
    assert "dropout 0.2, gelu, no biases, tied head; learning rate 0.001 to 0.0001" in printed


def test_the_vocabulary_is_that_of_the_text_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "x.jsonl"
    text.write_text('{"body": "abc"}\n', encoding="utf-8")
    assert main(["size", "quick", "--data", str(text), "--text-column", "body"]) == 0
    assert "vocabulary 3\n" in capsys.readouterr().out
