"""Runs as published models, and published models on the command line."""

import json
import sys
import types
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tokenizers
from our_rows import write_folder
from reference_rows import all_rows

from recipes.commands import main
from recipes.config import GPTConfig, Recipe
from recipes.data import ByteTokenizer, CharTokenizer
from recipes.errors import RecipeError
from recipes.nanogpt import build_gpt
from recipes.runs.published import (
    export,
    gpt2_config,
    load_run,
    model_value,
    published_tokenizer,
    with_biases,
)
from recipes.weights import load, save

TINY = ["--model.num-layers", "1", "--model.num-heads", "2", "--model.features", "16",
        "--model.context", "16", "--batch-size", "2", "--trainer.eval-every", "4"]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    text = folder.with_name("text.txt")
    text.write_text("to be or not to be, that is the question\n" * 40)
    words = ["train", "quick", "--data", str(text), "--run-dir", str(folder), "--max-steps", "4"]
    assert main([*words, *TINY]) == 0
    return folder


def test_a_run_is_loaded_as_a_model_with_parameters_and_tokenizer(run):
    model, params, tokenizer = load_run(run)
    ids = tokenizer.encode("to be")[None]
    assert jax.jit(model.apply)({"params": params}, ids).shape == (1, 5, tokenizer.vocab_size)


def test_an_exported_run_gives_the_same_logits(run, tmp_path):
    export(run, tmp_path / "gpt2")
    model, params, tokenizer = load_run(run)
    published = load(tmp_path / "gpt2")
    ids = tokenizer.encode("that is")[None]
    np.testing.assert_allclose(
        jax.jit(published.model.apply)({"params": published.params}, ids),
        jax.jit(model.apply)({"params": params}, ids),
        atol=1e-5,
    )
    assert json.loads((tmp_path / "gpt2" / "config.json").read_text())["model_type"] == "gpt2"


def test_an_exported_tokenizer_gives_the_same_ids(run, tmp_path):
    text = "to be\nor not"
    for tokenizer in (CharTokenizer.from_text(text), ByteTokenizer()):
        other = tokenizers.Tokenizer.from_str(json.dumps(published_tokenizer(tokenizer)))
        assert other.encode(text).ids == tokenizer.encode(text).tolist()
        assert other.decode(other.encode(text).ids) == text


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_every_gpt_has_gpt_2_s_form(use_bias, activation, tmp_path):
    sizes = {"num_layers": 2, "num_heads": 2, "features": 8, "context": 8, "vocab_size": 11}
    config = GPTConfig(**sizes, use_bias=use_bias, activation=activation)
    model, tokens = build_gpt(config), jnp.array([[1, 5, 3]])
    params = model.init(jax.random.key(0), tokens)["params"]
    save(tmp_path, with_biases(params, config), config=gpt2_config(config))
    loaded = load(tmp_path)
    np.testing.assert_allclose(
        jax.jit(loaded.model.apply)({"params": loaded.params}, tokens),
        jax.jit(model.apply)({"params": params}, tokens),
        atol=1e-5,
    )


def test_a_head_with_biases_is_refused(run, tmp_path):
    folder = tmp_path / "run"
    words = ["train", "quick", "--data", str(run.with_name("text.txt")), "--run-dir", str(folder)]
    heads = ["--model.no-tied-head", "--model.use-bias", "--max-steps", "1"]
    assert main([*words, *heads, *TINY]) == 0
    with pytest.raises(RecipeError, match="head has biases, and GPT-2's has none"):
        export(folder, tmp_path / "gpt2")


def test_the_command_line_exports_and_counts(run, tmp_path, capsys):
    assert main(["export", str(run), str(tmp_path / "gpt2")]) == 0
    assert main(["size", str(tmp_path / "gpt2")]) == 0
    assert "attention" in capsys.readouterr().out
    assert main(["export", str(run), str(tmp_path / "gpt2")]) == 2
    assert "has model.safetensors already" in capsys.readouterr().err


def test_a_published_model_is_sampled(run, tmp_path, capsys):
    assert main(["export", str(run), str(tmp_path / "gpt2")]) == 0
    capsys.readouterr()
    words = ["--prompt", "to be", "--tokens", "8", "--temperature", "0"]
    assert main(["sample", str(run), *words]) == 0
    ours = capsys.readouterr().out
    assert main(["sample", str(tmp_path / "gpt2"), *words]) == 0
    assert capsys.readouterr().out == ours


def test_a_published_model_without_a_tokenizer_is_told(tmp_path, capsys):
    write_folder(all_rows()["gpt2"], tmp_path)
    assert main(["sample", str(tmp_path)]) == 2
    assert "has no tokenizer.json" in capsys.readouterr().err


@pytest.fixture(scope="module")
def published(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published") / "gpt2"
    export(run, folder)
    return folder


def tuned(published, run, folder, *words):
    """Train a published model on the run's text, and return its first logged losses."""
    text = str(run.with_name("text.txt"))
    given = ["train", "quick", "--init-from", str(published), "--data", text]
    options = ["--run-dir", str(folder), "--max-steps", "4", "--model.context", "16"]
    sizes = ["--batch-size", "2", "--trainer.eval-every", "2", "--trainer.log-every", "1"]
    assert main([*given, *options, *sizes, *words]) == 0
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_training_goes_on_where_the_published_model_stands(run, published, tmp_path):
    small = ["--optimizer.learning-rate", "1e-9", "--optimizer.min-learning-rate", "1e-9"]
    rows = tuned(published, run, tmp_path / "run", *small)
    model, params, tokenizer = load(published)
    assert tokenizer is not None
    ids = tokenizer.encode(run.with_name("text.txt").read_text(), special=False)
    windows = ids[: 16 * 40].reshape(40, 16)
    logits = np.asarray(jax.jit(model.apply)({"params": params}, windows[:, :-1]))
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    mean = -np.take_along_axis(logs, windows[:, 1:, None], -1).mean()
    assert rows[-1]["val_loss"] == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize("words", [(), pytest.param(("--lora", "2"), marks=pytest.mark.slow)])
def test_a_tuned_model_is_sampled_evaluated_resumed_and_exported(
    words, run, published, tmp_path, capsys
):
    folder = tmp_path / "run"
    tuned(published, run, folder, "--optimizer.learning-rate", "1e-2", *words)
    # That of the published model: 1 layer 16 wide, where the preset has 3 of 128.
    assert f"gpt2 of {published}: 1 layers, 16 features" in capsys.readouterr().out
    moved = published.rename(published.with_name("moved"))
    try:  # The run needs the folder that it started from no more.
        assert main(["sample", str(folder), "--tokens", "4"]) == 0
        assert main(["eval", str(folder)]) == 0
        assert main(["export", str(folder), str(tmp_path / "out")]) == 0
        capsys.readouterr()
        assert main(["size", str(folder)]) == 0
        params = load_run(folder).params
        count = sum(leaf.size for leaf in jax.tree.leaves(params))
        assert f"{count:,}" in capsys.readouterr().out.splitlines()[1]
    finally:
        moved.rename(published)
    capsys.readouterr()
    words = ["train", "--run-dir", str(folder), "--resume", "auto", "--max-steps", "5"]
    assert main(words) == 0
    tuned_run, out, before = load_run(folder), load(tmp_path / "out"), load(published)
    ids = tuned_run.tokenizer.encode("to be")[None]
    changed = jax.jit(out.model.apply)({"params": out.params}, ids)
    assert (
        np.abs(changed - jax.jit(before.model.apply)({"params": before.params}, ids)).max() > 1e-3
    )


@pytest.fixture
def hub(published, monkeypatch):
    """A hub that has the published model, as `owner/gpt2`."""
    hub = types.ModuleType("huggingface_hub")
    hub.snapshot_download = lambda name, **options: {"owner/gpt2": str(published)}[name]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)


@pytest.mark.usefixtures("hub")
def test_a_model_on_the_hub_is_counted_and_planned_as_in_a_folder(published, capsys):
    assert main(["size", str(published)]) == 0
    of_folder = capsys.readouterr().out
    assert main(["size", "quick", "--init-from", "owner/gpt2"]) == 0
    assert capsys.readouterr().out == of_folder
    recipe = Recipe(init_from="owner/gpt2")
    assert model_value(recipe) == model_value(replace(recipe, init_from=str(published)))


@pytest.mark.usefixtures("hub")
def test_a_run_starts_from_a_name_on_the_hub(run, tmp_path, monkeypatch):
    tuned("owner/gpt2", run, tmp_path / "run")
    monkeypatch.delitem(sys.modules, "huggingface_hub")
    assert main(["sample", str(tmp_path / "run"), "--tokens", "1"]) == 0


def test_adapters_leave_the_published_weights_as_they_were(run, published, tmp_path):
    tuned(published, run, tmp_path / "run", "--lora", "2", "--optimizer.learning-rate", "1e-2")
    params, before = load_run(tmp_path / "run").params, load(published).params
    query = params["stack"]["layer_0"]["attention"]["query"]
    np.testing.assert_array_equal(
        query["kernel"], before["stack"]["layer_0"]["attention"]["query"]["kernel"]
    )
    assert np.abs(query["lora_b"]).max() > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lora", "2"], "lora=2 must be at least 1, and adapts the model of init_from"),
        (["--init-from", "PUBLISHED", "--model.context", "99"], "more than the 16 positions"),
        (["--init-from", "nowhere/at/all"], "nowhere/at/all"),
    ],
)
def test_what_cannot_be_a_start_is_refused(words, message, run, published, tmp_path, capsys):
    words = [str(published) if word == "PUBLISHED" else word for word in words]
    folder = tmp_path / "run"
    given = ["train", "quick", "--data", str(run.with_name("text.txt")), "--run-dir", str(folder)]
    assert main([*given, *words]) == 2
    assert message in capsys.readouterr().err
    assert not folder.exists() or not any(folder.glob("[!.]*"))
