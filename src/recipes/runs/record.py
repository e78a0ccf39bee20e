"""The record of a run, which ensures that it is resumed with the same settings and data."""

from __future__ import annotations

import dataclasses
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from recipes.data import Corpus, Tokenizer, check_same_tokenizer, load_tokenizer, save_tokenizer
from recipes.errors import RecipeError
from recipes.runs.folder import write_json

if TYPE_CHECKING:
    from recipes.config import Recipe
    from recipes.runs.folder import RunFolder

PACKAGES = ("linen-blocks", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")
# The length of training and the path of the text may change; the text may not.
FREE_ON_RESUME = ("trainer", "data", "text_column")


def record(recipe: Recipe, folder: RunFolder, tokenizer: Tokenizer, corpus: Corpus) -> Recipe:
    """Complete the settings and record them, or compare them with the run in the folder.

    Returns:
        The settings with the tokenizer's vocabulary and the length of the decay.

    Raises:
        RecipeError: The run in the folder has other settings, another tokenizer or another text.
    """
    recorded = folder.read_config() if folder.exists else None
    decay_steps = recipe.optimizer.decay_steps
    if decay_steps is None:
        # Training longer than planned does not change the learning rates of the plan.
        optimizer = (recorded or {}).get("optimizer", {})
        decay_steps = optimizer.get("decay_steps", recipe.trainer.max_steps)
    recipe = dataclasses.replace(
        recipe,
        model=dataclasses.replace(recipe.model, vocab_size=tokenizer.vocab_size),
        optimizer=dataclasses.replace(recipe.optimizer, decay_steps=decay_steps),
    )
    if recorded is None:
        save_tokenizer(tokenizer, folder.tokenizer)
        write_json(folder.env, _environment(corpus))
    else:
        check_same_tokenizer(load_tokenizer(folder.tokenizer), tokenizer)
        check_same_corpus(folder, corpus)
        # A run of an older version has the defaults of settings that are new.
        before = type(recipe).from_json(recorded).as_json()
        if found := differences(_fixed(before), _fixed(recipe.as_json())):
            raise RecipeError(
                f"The settings differ from those of the run: {'; '.join(found)}.",
                "Leave out the preset and the options to go on with the run's own settings, or "
                "give --run-dir another folder.",
            )
    # Last, because it makes the folder a run.
    write_json(folder.config, recipe.as_json())
    return recipe


def check_same_corpus(folder: RunFolder, corpus: Corpus) -> None:
    """Refuse a text other than the one that a run was trained on.

    Raises:
        RecipeError: Their digests differ.
    """
    recorded = folder.read_env().get("corpus", {})
    if recorded.get("sha256") != corpus.sha256:
        raise RecipeError(
            f"The corpus {corpus.name!r} is not the text that the run was trained on, which was "
            f"{recorded.get('name')!r} with another SHA-256.",
            "Give the same text with --data.",
        )


def differences(recorded: dict[str, Any], given: dict[str, Any], prefix: str = "") -> list[str]:
    """Describe the settings in which two runs differ.

    Example:
        >>> differences({"model": {"features": 64}}, {"model": {"features": 96}})
        ['model.features is 64 in the run and 96 now']
    """
    found = []
    for name in {**recorded, **given}:
        old, new = recorded.get(name, "absent"), given.get(name, "absent")
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name} is {old} in the run and {new} now")
    return found


def _fixed(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that must stay as they were."""
    return {name: value for name, value in settings.items() if name not in FREE_ON_RESUME}


def _environment(corpus: Corpus) -> dict[str, Any]:
    """Describe the environment and the text of a run."""
    import jax

    return {
        "corpus": {
            "name": corpus.name,
            "sha256": corpus.sha256,
            "characters": corpus.characters,
            "documents": corpus.documents,
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "platform": platform.platform(),
        "devices": [str(device) for device in jax.devices()],
    }
