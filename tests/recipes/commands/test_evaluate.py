import json
import math
from pathlib import Path

import numpy as np
import pytest
from small_recipe import TEXT

from recipes.commands import main


def table(text: str) -> dict[str, float]:
    """The numbers that `eval` prints, by what stands before them."""
    lines = [line.split("  ", 1) for line in text.splitlines()]
    return {
        name: float(value.split()[0].replace(",", "")) for name, value in lines if name != "text"
    }


def test_every_target_of_the_validation_split_counts_once(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(finished)]) == 0
    # The last tenth of the text, of which the first character has nothing before it.
    assert table(capsys.readouterr().out)["tokens"] == len(TEXT) // 10 - 1


def test_bits_per_byte_are_nats_per_character_of_ascii_over_ln_2(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(finished)]) == 0
    found = table(capsys.readouterr().out)
    expected = found["nats per token"] / math.log(2)
    np.testing.assert_allclose(found["bits per byte"], expected, atol=2e-4)


def test_the_loss_is_the_one_that_training_measured(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(finished)]) == 0
    last = json.loads((finished / "metrics.jsonl").read_text().splitlines()[-1])
    found = table(capsys.readouterr().out)["nats per token"]
    np.testing.assert_allclose(found, last["val_loss"], atol=1e-4)


def test_another_text_is_measured_where_it_is_asked_for(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.txt"
    other.write_text(TEXT[::-1] * 2)
    assert main(["eval", str(finished), "--data", str(other)]) == 0
    printed = capsys.readouterr().out
    assert str(other) in printed
    assert table(printed)["tokens"] == 2 * len(TEXT) // 10 - 1
