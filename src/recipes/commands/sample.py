"""`sample RUN`: text from a trained or a published model."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from recipes.data import Tokenizer, load_tokenizer
from recipes.errors import RecipeError
from recipes.generation.sampling import Sampling
from recipes.runs.folder import RunFolder, is_published


@dataclass(frozen=True)
class Sample:
    """Write text with the best parameters of a run, or with a published model.

    Past the context the last half of it is read anew, and writing goes on.

    Attributes:
        run: Folder of the run, or of a published model: config.json, model.safetensors and
            tokenizer.json.
        prompt: Text to continue; - reads it from the standard input. A line break if left out.
        tokens: How many to write.
        temperature: Below 1 is safer, above 1 wilder, 0 takes the most probable token always.
        top_k: Draw among the k most probable tokens only.
        top_p: Draw among the fewest tokens that hold this probability together.
        min_p: Draw among tokens of at least this share of the greatest probability.
        repetition_penalty: Above 1 makes tokens rarer that the text has already.
        stop: Texts before which the writing ends.
        num: Texts to write.
        seed: The same seed writes the same texts.
    """

    run: tyro.conf.Positional[Path]
    prompt: str = ""
    tokens: int = 500
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    num: int = 1
    seed: int = 0

    def __call__(self) -> int:
        """Write the text piece by piece as it is drawn."""
        settings = (self.temperature, self.top_k, self.top_p, self.min_p, self.repetition_penalty)
        sampling = Sampling(*settings)
        for name in ("tokens", "num"):
            if getattr(self, name) < 1:
                raise RecipeError(
                    f"{name}={getattr(self, name)} must be at least 1.", f"Give {name} a count."
                )
        published = is_published(self.run)
        text = sys.stdin.read() if self.prompt == "-" else self.prompt
        if not published:
            # A missing run and an unknown character are found before JAX is imported.
            folder = RunFolder(self.run)
            folder.read_config()
            _prompt(text, load_tokenizer(folder.tokenizer))

        import jax

        from recipes.generation.text import write
        from recipes.runs.published import load_run
        from recipes.weights.load import load

        model, params, tokenizer = load(self.run) if published else load_run(self.run)
        if tokenizer is None:
            raise RecipeError(
                f"{str(self.run)!r} has no tokenizer.json.", "Copy it from where the model is."
            )
        options: dict[str, Any] = {"tokens": self.tokens, "sampling": sampling, "stop": self.stop}
        if "eos_token" in (ids := getattr(tokenizer, "special_ids", {})):
            options["end"] = [ids["eos_token"]]
        prompt = _prompt(text, tokenizer)
        for index in range(self.num):
            key = jax.random.fold_in(jax.random.key(self.seed), index)
            print(end="\n---\n" if index else "")
            for piece in write(model, params, tokenizer, prompt, key=key, **options):
                print(end=piece, flush=True)
            print(flush=True)
        return 0


def _prompt(text: str, tokenizer: Tokenizer) -> str:
    """The text to continue, which the tokenizer can encode."""
    prompt = text or _neutral(tokenizer)
    tokenizer.encode(prompt)
    return prompt


def _neutral(tokenizer: Tokenizer) -> str:
    """A neutral prompt: a line break if the vocabulary has one."""
    try:
        tokenizer.encode("\n")
    except RecipeError:
        return tokenizer.decode([0])
    return "\n"
