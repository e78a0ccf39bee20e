"""`size PRESET` and `presets`: the presets, and the costs of their models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from recipes.config import GPTConfig, Recipe
from recipes.data import build_tokenizer, load_corpus
from recipes.presets import ABOUT, PRESETS
from recipes.runs.folder import RunFolder


@dataclass(frozen=True)
class Size(Recipe):
    """Count a model's parameters, memory and work, without building it.

    Attributes:
        preset: Settings to start from; `presets` lists them. Or the folder of a run, or of a
            published model.
    """

    preset: tyro.conf.Positional[str] = "quick"

    def __call__(self) -> int:
        """Count, and print a table."""
        if self.init_from is not None:
            from recipes.runs.published import summary_of
            from recipes.weights.hub import folder_of

            given = Path(self.preset)
            folder = given if RunFolder(given).exists else folder_of(self.init_from)
            print(summary_of(folder, self.lora))
            return 0
        model = known_vocabulary(self)

        from recipes.size import size_of

        size = size_of(model, self.optimizer)
        print(
            f"{self.preset}: {model.num_layers} layers, {model.num_heads} heads, "
            f"{model.features} features, context {model.context}, vocabulary {model.vocab_size}\n"
        )
        for part, count in size.parameters.items():
            print(f"{part:<22}{count:>15,}{100 * count / size.total:>8.1f} %")
        print(f"{'parameters':<22}{size.total:>15,}\n")
        print(f"{'weights':<22}{in_units(size.weight_bytes):>15}   float32")
        print(f"{'training':<22}{in_units(size.training_bytes):>15}   + activations")
        print(f"{'cache':<22}{in_units(size.cache_bytes):>15}   per sequence\n")
        print(f"{'forward':<22}{size.forward_flops / 1e6:>9,.1f} MFLOP   per token")
        print(f"{'training':<22}{size.training_flops / 1e6:>9,.1f} MFLOP   per token")
        return 0


@dataclass(frozen=True)
class Presets:
    """List the presets."""

    def __call__(self) -> int:
        """List the presets, with what tells them apart."""
        for name, recipe in PRESETS.items():
            model = recipe.model
            print(f"{name:<22}{ABOUT[name]}")
            print(
                f"{'':<22}{model.num_layers} layers, {model.num_heads} heads, "
                f"{model.features} features, context {model.context}; "
                f"{recipe.trainer.max_steps} steps of {recipe.batch_size} on "
                f"{', '.join(recipe.data)}"
            )
            rate = recipe.optimizer
            print(
                f"{'':<22}{recipe.tokenizer}, dropout {model.dropout_rate:g}, "
                f"{model.activation}, {'' if model.use_bias else 'no '}biases, "
                f"{'tied' if model.tied_head else 'separate'} head; "
                f"learning rate {rate.learning_rate:g}"
                + (f" to {rate.min_learning_rate:g}" if rate.min_learning_rate else "")
                + f" after {rate.warmup_steps} steps"
            )
        return 0


def known_vocabulary(recipe: Recipe) -> GPTConfig:
    """The model of a recipe, with the vocabulary of its text where it names none."""
    if recipe.model.vocab_size is not None:
        return recipe.model
    tokenizer = build_tokenizer(
        recipe.tokenizer, load_corpus(*recipe.data, text_column=recipe.text_column)
    )
    return replace(recipe.model, vocab_size=tokenizer.vocab_size)


def in_units(count: float) -> str:
    """Write a number of bytes.

    Example:
        >>> in_units(1536)
        '1.5 KiB'
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"
