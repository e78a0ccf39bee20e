"""A run on articles in Parquet files, as WikiText has them, from byte pairs to an export."""

import math
import re
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import tokenizers

from recipes.commands import main
from recipes.runs.published import load_run
from recipes.weights.load import load

pytestmark = pytest.mark.slow

TEXT = "the river town was built in a valley by the old road near its church and bridge"
WORDS = TEXT.split()


def articles(path: Path, count: int, seed: int) -> list[str]:
    """Write headings, paragraphs and empty rows; return the rows that have text."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        rows += ["", f" = Town {number} = \n", ""]
        rows += [" " + " ".join(draw.choice(WORDS, 30)) + " . \n" for _ in range(3)]
    table = pyarrow.table({"text": rows})
    pyarrow.parquet.write_table(table, path, row_group_size=50)
    return [row for row in rows if row]


def printed(text: str, pattern: str) -> float:
    found = re.search(pattern, text)
    assert found, text
    return float(found[1].replace(",", ""))


@pytest.mark.parametrize("documents", ["packed", pytest.param("padded", marks=pytest.mark.further)])
def test_a_run_on_articles_is_trained_resumed_measured_sampled_and_exported(
    tmp_path, capsys, documents
):
    articles(tmp_path / "train-0.parquet", 60, 0)
    articles(tmp_path / "train-1.parquet", 60, 1)
    articles(tmp_path / "validation.parquet", 10, 2)
    rows = articles(tmp_path / "test.parquet", 10, 3)
    run, published = tmp_path / "run", tmp_path / "published"
    words = [
        *("train", "quick", "--data", str(tmp_path / "train-*.parquet"), "--tokenizer", "bpe:300"),
        *("--validation", str(tmp_path / "validation.parquet"), "--documents", documents),
        *("--model.num-layers", "1", "--model.num-heads", "2", "--model.features", "32"),
        *("--model.context", "32", "--batch-size", "8", "--trainer.eval-every", "20"),
    ]
    assert main([*words, "--run-dir", str(run), "--max-steps", "40"]) == 0
    assert main(["train", "--run-dir", str(run), "--resume", "auto", "--max-steps", "80"]) == 0

    capsys.readouterr()
    assert main(["eval", str(run), "--data", str(tmp_path / "test.parquet"), "--whole"]) == 0
    table = capsys.readouterr().out
    assert main(["export", str(run), str(published)]) == 0

    inner = tokenizers.Tokenizer.from_file(str(published / "tokenizer.json"))
    count = sum(len(inner.encode(row).ids) for row in rows) + len(rows) - 1
    nats = printed(table, r"nats per token +([\d.]+)")
    assert nats < math.log(inner.get_vocab_size()) - 1  # it has learned
    assert printed(table, r"tokens +([\d,]+)") == count
    per_word = math.exp(nats * count / sum(len(row.split()) for row in rows))
    size = sum(len(row.encode()) for row in rows)
    assert printed(table, r"perplexity +([\d.]+)") == pytest.approx(math.exp(nats), rel=1e-3)
    assert printed(table, r", ([\d.,]+) per word") == pytest.approx(per_word, rel=1e-2)
    bits = nats * count / size / math.log(2)
    assert printed(table, r"bits per byte +([\d.]+)") == pytest.approx(bits, rel=1e-3)

    assert main(["sample", str(run), "--prompt", " The river", "--tokens", "12"]) == 0
    assert capsys.readouterr().out.rpartition("GPT-2.\n")[2].startswith(" The river")
    ours, theirs = load_run(run), load(published)
    ids = np.array([inner.encode("the old town").ids])
    assert ours.tokenizer.encode("the old town").tolist() == ids[0].tolist()
    np.testing.assert_allclose(
        ours.model.apply({"params": ours.params}, ids),
        theirs.model.apply({"params": theirs.params}, ids),
        atol=1e-4,
    )


def test_another_tokenizer_or_text_to_validate_on_is_refused_on_resuming(tmp_path, capsys):
    for number, name in enumerate(("train", "validation", "other")):
        articles(tmp_path / f"{name}.parquet", 20, number)
    words = [
        *("--data", str(tmp_path / "train.parquet"), "--model.num-layers", "1"),
        *("--model.features", "16", "--model.context", "16", "--batch-size", "4"),
        *("--run-dir", str(tmp_path / "run"), "--max-steps", "5"),
    ]
    held_out = ["--validation", str(tmp_path / "validation.parquet")]
    assert main(["train", "quick", *words, *held_out, "--tokenizer", "bpe:300"]) == 0
    again = ["train", "--run-dir", str(tmp_path / "run"), "--resume", "auto", "--max-steps", "8"]
    capsys.readouterr()
    assert main([*again, "--tokenizer", "bpe:280"]) == 2
    assert "another tokenizer of the kind 'published', of 300 tokens" in capsys.readouterr().err
    assert main([*again, "--validation", str(tmp_path / "other.parquet")]) == 2
    assert "another text to validate on" in capsys.readouterr().err
    assert main(again) == 0
