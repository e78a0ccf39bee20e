import pytest

from recipes.commands import main
from recipes.data import CharTokenizer, load_corpus
from recipes.presets import PRESETS


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
