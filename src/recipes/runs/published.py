"""Runs and published models: a run loaded as one, and exported as one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from blocks import LoRA, summary
from blocks.adapters import merge_lora
from blocks.core.parameters import parameter_shapes
from blocks.introspection import Summary
from recipes.config import GPTConfig, Recipe
from recipes.data import CharTokenizer, Tokenizer, load_tokenizer
from recipes.data.files import write_atomically
from recipes.data.sealed import read_sealed
from recipes.errors import RecipeError
from recipes.nanogpt import build_gpt
from recipes.runs.folder import RunFolder
from recipes.runs.shell import PROGRAM, quoted
from recipes.runs.starting import kept_model, with_adapters
from recipes.trainer.kept import KeptCheckpoints
from recipes.trainer.reading import read_while_saved
from recipes.weights.folder import CONFIG, read_json
from recipes.weights.hub import folder_of
from recipes.weights.load import model_of
from recipes.weights.save import save
from recipes.weights.tokenizer import PublishedTokenizer


class LoadedRun(NamedTuple):
    """The best of a run.

    Attributes:
        model: The model, as a value.
        params: Its parameters.
        tokenizer: Its tokenizer.
    """

    model: nn.Module
    params: dict[str, Any]
    tokenizer: Tokenizer


def load_run(folder: str | Path) -> LoadedRun:
    """Load the best parameters of a run, with its model and its tokenizer.

    Args:
        folder: Folder of the run.

    Raises:
        RecipeError: No run, a damaged one, or one that has not saved a step yet.
    """
    run = RunFolder(Path(folder))
    recipe = Recipe.from_json(run.read_config())
    if recipe.init_from is None and recipe.model.vocab_size is None:
        raise RecipeError(
            f"{str(run.config)!r} is damaged: model.vocab_size is missing.",
            "Restore it from a copy of the run.",
        )
    model = build_gpt(recipe.model) if recipe.init_from is None else kept_model(recipe, run)
    checkpoints, shapes = KeptCheckpoints(run.checkpoints), _shapes(model)
    if not checkpoints.steps():
        first = min(recipe.trainer.eval_every, recipe.trainer.max_steps)
        raise RecipeError(
            f"There is no checkpoint in {str(run.checkpoints)!r} yet: the first is saved after "
            f"step {first}.",
            f"Wait for it while it trains, or use {PROGRAM} train --run-dir {quoted(run.path)} "
            "--resume auto.",
        )
    params = read_while_saved(run.checkpoints, lambda: checkpoints.restore_params(shapes))
    return LoadedRun(model, params, load_tokenizer(run.tokenizer))


def parameter_count(recipe: Recipe, folder: RunFolder) -> int:
    """Count the parameters of a run's model from its shapes; nothing is allocated.

    Raises:
        RecipeError: The configuration of the model that the run started from is damaged.
    """
    model = build_gpt(recipe.model) if recipe.init_from is None else kept_model(recipe, folder)
    return sum(leaf.size for leaf in jax.tree.leaves(_shapes(model)))


def model_value(recipe: Recipe, folder: Path | None = None) -> nn.Module:
    """Build the model that a recipe trains, as a value without weights.

    Args:
        recipe: The settings, with a vocabulary where the model is new.
        folder: Folder that may be the run of the recipe, and then knows the model it started from.

    Raises:
        RecipeError: A configuration of a published model that is missing or not known.
    """
    if recipe.init_from is None:
        return build_gpt(recipe.model)
    if folder is not None and RunFolder(folder).model.exists():
        return kept_model(recipe, RunFolder(folder))
    fields = read_json(folder_of(recipe.init_from) / CONFIG)
    return with_adapters(model_of(fields)[0], recipe.lora)


def summary_of(folder: str | Path, lora: int | None = None) -> Summary:
    """Count the parameters, work and cache of a published model, part by part.

    Args:
        folder: Its folder, or that of a run that started from it.
        lora: Rank of adapters, if there are any.

    Raises:
        RecipeError: A configuration that is not known.
    """
    kept = RunFolder(Path(folder)).model
    fields = read_sealed(kept) if kept.exists() else read_json(Path(folder) / CONFIG)
    model, family, config = model_of(fields)
    return summary(with_adapters(model, lora), *family.inputs(config))


def export(run: str | Path, folder: str | Path) -> None:
    """Write a run as a published model, which gives the same logits.

    A GPT becomes a GPT-2; biases that it does not have are written as zeros. A run that started
    from a published model keeps its kind, with adapters merged.

    Args:
        run: Folder of the run.
        folder: Folder that is written; a missing one is made.

    Raises:
        RecipeError: No run, a head with biases or experts, which GPT-2 does not have, or a folder
            that cannot be written.
    """
    recipe = Recipe.from_json(RunFolder(Path(run)).read_config())
    loaded = load_run(run)
    if recipe.init_from is not None:
        save_tuned(RunFolder(Path(run)), loaded, Path(folder))
        return
    if recipe.model.num_experts is not None:
        raise RecipeError(
            f"The model has {recipe.model.num_experts} experts in each layer, and GPT-2 has one "
            "MLP.",
            "Export a run that was trained without --model.num-experts.",
        )
    if "bias" in loaded.params.get("head", {}):
        raise RecipeError(
            "The model's head has biases, and GPT-2's has none.",
            "Train with --model.tied-head or --model.no-use-bias.",
        )
    special = getattr(loaded.tokenizer, "special_ids", {})
    ends = {"bos_token_id": special.get("eos_token"), "eos_token_id": special.get("eos_token")}
    fields = gpt2_config(recipe.model) | ends
    params = without_scales(loaded.params, recipe.model)
    save(folder, with_biases(params, recipe.model), config=fields)
    if isinstance(loaded.tokenizer, PublishedTokenizer):
        loaded.tokenizer.save(Path(folder))
        return
    tokenizer = published_tokenizer(loaded.tokenizer)
    write_atomically(Path(folder) / "tokenizer.json", json.dumps(tokenizer, indent=1).encode())


def save_tuned(run: RunFolder, loaded: LoadedRun, folder: Path) -> None:
    """Write a run that started from a published model in that model's form."""
    params = loaded.params
    if isinstance(loaded.model, LoRA):
        _, params = merge_lora(loaded.model, params)
    tokenizer = loaded.tokenizer
    assert isinstance(tokenizer, PublishedTokenizer)
    save(folder, params, config=read_sealed(run.model), tokenizer=tokenizer)


def gpt2_config(config: GPTConfig) -> dict[str, Any]:
    """Describe a GPT as GPT-2's configuration does."""
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": config.vocab_size,
        "n_positions": config.context,
        "n_embd": config.features,
        "n_layer": config.num_layers,
        "n_head": config.num_heads,
        "n_inner": 4 * config.features,
        "activation_function": config.activation,
        "layer_norm_epsilon": 1e-5,
        "attn_pdrop": config.dropout_rate,
        "resid_pdrop": config.dropout_rate,
        "embd_pdrop": config.dropout_rate if config.embedding_dropout else 0.0,
        "initializer_range": config.init_stddev,
        "tie_word_embeddings": config.tied_head,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def without_scales(params: dict[str, Any], config: GPTConfig) -> dict[str, Any]:
    """Multiply parameters by the scales of scores and logits that a base width brings.

    GPT-2 has none: queries take the one, the last norm takes the other.
    """
    if config.attention_scale is None:
        return params
    # Beside the scale that attention takes by itself.
    ratio = config.attention_scale * math.sqrt(config.features / config.num_heads)

    def scaled(path: str, leaf: Any) -> Any:
        if "/query/" in path:
            return leaf * ratio
        return leaf / config.width_multiplier if path.startswith("norm/") else leaf

    flat = dict[str, Any](flatten_dict(params, sep="/"))
    return unflatten_dict({path: scaled(path, leaf) for path, leaf in flat.items()}, sep="/")


def with_biases(params: dict[str, Any], config: GPTConfig) -> dict[str, Any]:
    """Add zeros where GPT-2 has biases and a GPT was built without them."""
    full = GPTConfig(**{**vars(config), "use_bias": True, "use_qkv_bias": True})
    shapes = _shapes(build_gpt(full))
    given, wanted = (dict[str, Any](flatten_dict(tree, sep="/")) for tree in (params, shapes))
    missing = {
        path: jnp.zeros(leaf.shape, jnp.float32)
        for path, leaf in wanted.items()
        if path not in given and path.endswith("/bias") and not path.startswith("head/")
    }
    return unflatten_dict({**given, **missing}, sep="/")


def published_tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    """Describe a tokenizer of characters or bytes as `tokenizer.json` does."""
    if isinstance(tokenizer, CharTokenizer):
        vocabulary = {character: index for index, character in enumerate(tokenizer.vocabulary)}
        model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": tokenizer.vocabulary[0]}
        split = {"pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated", "invert": False}
        return {**_EMPTY, "model": model, "pre_tokenizer": {"type": "Split", **split},
                "decoder": {"type": "Fuse"}}  # fmt: skip
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    vocabulary = {character: index for index, character in enumerate(_byte_characters())}
    model = {"type": "BPE", "vocab": vocabulary, "merges": []}
    return {**_EMPTY, "model": model, "pre_tokenizer": {**level, "use_regex": False},
            "decoder": {**level, "use_regex": False}}  # fmt: skip


_EMPTY: dict[str, Any] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "post_processor": None,
}


def _shapes(model: nn.Module) -> Any:
    """Shapes of the parameters of a model, which saved ones must have."""
    return parameter_shapes(model, jax.ShapeDtypeStruct((1, 1), jnp.int32))


def _byte_characters() -> list[str]:
    """The character that stands for each byte in byte-level vocabularies, by GPT-2's rule."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]
