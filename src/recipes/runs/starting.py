"""Start of a run from a published model, whole or with adapters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks import CausalLM, LoRA, TokenEmbedding, find
from recipes.config import Recipe
from recipes.data import Corpus, Tokenizer, build_tokenizer, load_tokenizer
from recipes.data.encoded import EncodedText, check_inside
from recipes.data.kinds import BYTE_PAIRS, is_path
from recipes.data.sealed import read_sealed
from recipes.errors import RecipeError
from recipes.generation.generate import own_context
from recipes.runs.folder import RunFolder, write_json
from recipes.weights.folder import CONFIG, read_json
from recipes.weights.hub import folder_of
from recipes.weights.load import load, model_of


class Start(NamedTuple):
    """Model, parameters and tokenizer at the start of training.

    Attributes:
        model: The model, as a value.
        params: Its parameters.
        tokenizer: The tokenizer that it was trained with.
    """

    model: nn.Module
    params: dict[str, Any]
    tokenizer: Tokenizer


def start_from(recipe: Recipe) -> Start | None:
    """Load the published model that a recipe starts from; None for a new model.

    Raises:
        RecipeError: A folder that cannot be loaded, a model that is not a decoder or has
            fewer positions than the context, or no tokenizer.
    """
    if recipe.init_from is None:
        return None
    model, params, tokenizer = load(recipe.init_from, dtype=jnp.float32)
    if not isinstance(model, CausalLM):
        raise RecipeError(
            f"{recipe.init_from!r} holds a {type(model).__name__}, and a decoder is trained here.",
            "Give the folder of a causal language model.",
        )
    limit = own_context(model)
    if limit is not None and recipe.model.context > limit:
        raise RecipeError(
            f"model.context={recipe.model.context} is more than the {limit} positions of "
            f"{recipe.init_from!r}.",
            f"Add --model.context {limit}.",
        )
    if tokenizer is None:
        raise RecipeError(
            f"{recipe.init_from!r} has no tokenizer.json.", "Copy it from where the model is."
        )
    if recipe.lora is None:
        return Start(model, params, tokenizer)
    adapted = with_adapters(model, recipe.lora)
    tokens = jnp.zeros((1, 1), jnp.int32)
    fresh = jax.jit(adapted.init)(jax.random.key(recipe.seed), tokens)["params"]
    return Start(adapted, _over(fresh, params), tokenizer)


def check_rows(start: Start | None, tokens: EncodedText) -> None:
    """Refuse token ids that the model of a start has no row for.

    Raises:
        RecipeError: An id outside the model's vocabulary, with its position.
    """
    if start is not None:
        sizes = [part.vocab_size for part in find(start.model, TokenEmbedding).values()]
        check_inside(tokens, min(sizes))


def tokenizer_for(kind: str, corpus: Corpus, folder: RunFolder) -> Tokenizer:
    """Build the tokenizer of a new run; a resumed one has its byte pairs in its folder.

    A file that a resumed run read and that is gone is read from there too.

    Args:
        kind: What a token is, as `build_tokenizer` takes it.
        corpus: The text.
        folder: Folder of the run.

    Raises:
        RecipeError: An unknown kind, or a damaged file.
    """
    if folder.exists and folder.read_config().get("tokenizer") == kind:
        gone = is_path(kind) and not Path(kind).exists()
        if gone or kind.startswith(BYTE_PAIRS):
            return load_tokenizer(folder.tokenizer)
    return build_tokenizer(kind, corpus)


def with_adapters(model: nn.Module, rank: int | None) -> nn.Module:
    """Adapt the queries and values of a model, if a rank is given."""
    return model if rank is None else LoRA(block=model, rank=rank)


def keep_model(recipe: Recipe, folder: RunFolder) -> None:
    """Copy the configuration of the model that a run starts from into its folder."""
    if recipe.init_from is not None:
        write_json(folder.model, read_json(folder_of(recipe.init_from) / CONFIG))


def kept_model(recipe: Recipe, folder: RunFolder) -> nn.Module:
    """Build the model of a run that started from a published one.

    Raises:
        RecipeError: The copied configuration is missing or damaged.
    """
    return with_adapters(model_of(read_sealed(folder.model))[0], recipe.lora)


def _over(fresh: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Put given parameters in the place of fresh ones."""
    return {
        name: _over(leaf, given.get(name, {}))
        if isinstance(leaf, Mapping)
        else given.get(name, leaf)
        for name, leaf in fresh.items()
    }
