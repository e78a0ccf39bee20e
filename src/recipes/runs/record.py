"""The record of a run, which ensures that it is resumed with the same settings and data."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from recipes.config import CHANGES, Recipe
from recipes.data import Corpus, Tokenizer, check_same_tokenizer, load_tokenizer, save_tokenizer
from recipes.data.corpora import OF_PYTHON
from recipes.differences import differences
from recipes.errors import RecipeError
from recipes.runs.folder import write_json

if TYPE_CHECKING:
    from recipes.runs.folder import Resume, RunFolder

PACKAGES = ("linen-blocks", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy")
# The length of training and the path of the text may change; the text may not.
FREE_ON_RESUME = ("trainer", "data", "text_column", "validation", "tokenizer")
# With --change the optimiser may go on in another way too.
CHANGEABLE = (*FREE_ON_RESUME, "optimizer")
# But not be another one: its state would be of another form.
KIND = "optimizer.name "


def settled(
    recipe: Recipe,
    folder: RunFolder,
    tokenizer: Tokenizer,
    corpus: Corpus,
    resume: Resume | None = None,
) -> Recipe:
    """Complete the settings, and compare them with the run in the folder if there is one.

    Returns:
        The settings with the tokenizer's vocabulary, the length of the decay, the form of the
        stack and the parts of a batch.

    Raises:
        RecipeError: The run in the folder has other settings, another tokenizer or another text.
    """
    # Imported here, as `--help` needs none of it.
    import jax

    recorded = folder.read_config() if folder.exists else None
    decay_steps, scan = recipe.optimizer.decay_steps, recipe.model.scan
    if recorded is not None:
        run = Recipe.from_json(recorded)
        # Training longer than planned does not change the learning rates of the plan.
        decay_steps = run.optimizer.decay_steps if decay_steps is None else decay_steps
        # Nor does another depth of scanned stacks change the form of the run's parameters.
        scan = run.model.scanned if scan is None else scan
        # Nor does another device change the parts of a batch, each of which has its own dropout.
        if recipe.trainer.accumulate is None:
            same = dataclasses.replace(recipe.trainer, accumulate=run.trainer.accumulate)
            recipe = dataclasses.replace(recipe, trainer=same)
    recipe = recipe.on(jax.default_backend())
    model = dataclasses.replace(recipe.model, vocab_size=tokenizer.vocab_size, scan=scan)
    recipe = dataclasses.replace(
        recipe,
        model=dataclasses.replace(model, scan=model.scanned),
        optimizer=dataclasses.replace(
            recipe.optimizer, decay_steps=decay_steps or recipe.trainer.max_steps
        ),
    )
    if recorded is not None:
        check_same_tokenizer(load_tokenizer(folder.tokenizer), tokenizer)
        check_same_corpus(folder, corpus)
        _check_unchanged(recorded, recipe, _free(resume))
    return recipe


def record(
    recipe: Recipe, folder: RunFolder, tokenizer: Tokenizer, corpus: Corpus, step: int = 0
) -> None:
    """Record the settings and this session, unless there is nothing left to train.

    Args:
        recipe: The settings, which are `settled`.
        folder: Folder of the run.
        tokenizer: Its tokenizer.
        corpus: Its text.
        step: Step that the session starts at.

    Raises:
        RecipeError: The write fails.
    """
    if step >= recipe.trainer.max_steps:
        return
    env = folder.read_env() if folder.exists else {"corpus": _described(corpus), "sessions": []}
    env["sessions"].append({"step": step, **_environment()})
    if not folder.exists:
        from recipes.runs.starting import keep_model  # loads JAX

        keep_model(recipe, folder)
        save_tokenizer(tokenizer, folder.tokenizer)
    write_json(folder.env, env)
    # Last, because it makes the folder a run.
    recorded = folder.read_config() if folder.exists else None
    if recorded is None or Recipe.from_json(recorded) != recipe:
        write_json(folder.config, {**recipe.as_json(), **_history(recorded, recipe, step)})


def changes(recorded: dict[str, Any], recipe: Recipe, resume: Resume) -> list[str]:
    """Describe how settings differ from those of a run where they may."""
    return _differing(_free(resume), recorded, recipe)


def _free(resume: Resume | None) -> Sequence[str]:
    """The settings that may change."""
    return CHANGEABLE if resume is not None and resume.change else FREE_ON_RESUME


def _check_unchanged(recorded: dict[str, Any], recipe: Recipe, free: Sequence[str]) -> None:
    """Refuse settings that differ from those of a run where they may not."""
    fixed = [name for name in recipe.as_json() if name not in (*free, "preset")]
    kind = [text for text in _differing(["optimizer"], recorded, recipe) if text.startswith(KIND)]
    found = _differing(fixed, recorded, recipe)
    found += [text for text in kind if text not in found]
    if not found:
        return
    fix = (
        "Leave out the preset and the options to go on with the run's own settings, or give "
        "--run-dir another folder."
    )
    if not kind and all(text.startswith("optimizer.") for text in found):
        fix = f"Add --change to go on with them, or leave them out. {fix}"
    raise RecipeError(f"The settings differ from those of the run: {'; '.join(found)}.", fix)


def _history(recorded: dict[str, Any] | None, recipe: Recipe, step: int) -> dict[str, Any]:
    """What was changed when the run was resumed, so far and now."""
    if recorded is None:
        return {}
    before = recorded.get(CHANGES)
    history = [*before] if isinstance(before, list) else []
    if found := _differing(CHANGEABLE, recorded, recipe):
        history.append({"after_step": step, "settings": found})
    return {CHANGES: history} if history else {}


def check_same_corpus(folder: RunFolder, corpus: Corpus) -> None:
    """Refuse a text other than the one that a run was trained on.

    Raises:
        RecipeError: Their digests differ.
    """
    env = folder.read_env()
    recorded = env["corpus"]
    if recorded.get("validation") != (corpus.validation and corpus.validation.sha256):
        raise RecipeError(
            "The run was trained with another text to validate on.",
            "Give the same text with --validation, or none where the run had none.",
        )
    if recorded["sha256"] == corpus.sha256:
        return
    then, now = env["sessions"][0]["versions"].get("python"), platform.python_version()
    if corpus.name == recorded["name"] and corpus.name in OF_PYTHON and then != now:
        raise RecipeError(
            f"The corpus {corpus.name!r} of Python {now} is not the text that the run was trained "
            f"on, which was that of Python {then}.",
            f"Use Python {then}, or give the same text as a file with --data.",
        )
    raise RecipeError(
        f"The corpus {corpus.name!r} is not the text that the run was trained on, which was "
        f"{recorded['name']!r} with another SHA-256.",
        "Give the same text with --data.",
    )


def changed_versions(folder: RunFolder) -> list[str]:
    """Describe in which versions the last session of a run differs from the one before."""
    versions = [session["versions"] for session in folder.read_env()["sessions"][-2:]]
    return differences(versions[0], versions[-1])


def _differing(names: Iterable[str], recorded: dict[str, Any], recipe: Recipe) -> list[str]:
    """Describe the differences between some of the settings."""
    # A run of an older version has the defaults of settings that are new.
    before, now = (kind.as_json() for kind in (Recipe.from_json(recorded), recipe))
    # As JSON has them: with lists for tuples.
    before, now = json.loads(json.dumps([before, now]))
    one, two = ({name: settings[name] for name in names} for settings in (before, now))
    return differences(one, two)


def _described(corpus: Corpus) -> dict[str, Any]:
    return {
        "name": corpus.name,
        "sha256": corpus.sha256,
        "characters": corpus.characters,
        "documents": corpus.documents,
        **({"validation": corpus.validation.sha256} if corpus.validation else {}),
    }


def _environment() -> dict[str, Any]:
    """Describe where a session runs."""
    import jax

    return {
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "platform": platform.platform(),
        "devices": [str(device) for device in jax.devices()],
    }
