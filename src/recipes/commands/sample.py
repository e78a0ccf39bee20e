"""`sample RUN`: text from a trained model."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from recipes.config import Recipe
from recipes.data import Tokenizer, load_tokenizer
from recipes.errors import RecipeError
from recipes.generation.sampling import Sampling
from recipes.runs.folder import RunFolder


@dataclass(frozen=True)
class Sample:
    """Write text with the best parameters of a run.

    Past the context the last half of it is read anew, and writing goes on.

    Attributes:
        run: Folder of the run.
        prompt: Text to continue; - reads it from the standard input. A line break if left out.
        tokens: How many to write.
        temperature: Below 1 is safer, above 1 wilder, 0 takes the most probable token always.
        top_k: Draw among the k most probable tokens only.
        top_p: Draw among the fewest tokens that hold this probability together.
        num: Texts to write.
        seed: The same seed writes the same texts.
    """

    run: tyro.conf.Positional[Path]
    prompt: str = ""
    tokens: int = 500
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    num: int = 1
    seed: int = 0

    def __call__(self) -> int:
        """Write the text piece by piece as it is drawn."""
        sampling = Sampling(self.temperature, self.top_k, self.top_p)
        for name in ("tokens", "num"):
            if getattr(self, name) < 1:
                raise RecipeError(
                    f"{name}={getattr(self, name)} must be at least 1.", f"Give {name} a count."
                )
        folder = RunFolder(self.run)
        recipe = Recipe.from_json(folder.read_config())
        tokenizer = load_tokenizer(folder.tokenizer)
        prompt = sys.stdin.read() if self.prompt == "-" else self.prompt
        prompt = prompt or _neutral(tokenizer)
        tokenizer.encode(prompt)  # An unknown character is found before JAX is imported.

        import jax

        from recipes.nanogpt import build_gpt, parameter_shapes, sample
        from recipes.trainer.checkpoints import Checkpoints

        like = parameter_shapes(build_gpt(recipe.model))
        params = Checkpoints(folder.checkpoints).restore_params(like)
        for index in range(self.num):
            key = jax.random.fold_in(jax.random.key(self.seed), index)
            options = {"tokens": self.tokens, "key": key, "sampling": sampling}
            pieces = sample(recipe, params, tokenizer, prompt, **options)
            print(end="\n---\n" if index else "")
            for piece in pieces:
                print(end=piece, flush=True)
            print(flush=True)
        return 0


def _neutral(tokenizer: Tokenizer) -> str:
    """A neutral prompt: a line break if the vocabulary has one."""
    try:
        tokenizer.encode("\n")
    except RecipeError:
        return tokenizer.decode([0])
    return "\n"
