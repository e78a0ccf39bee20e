"""The command line of the nanogpt recipe: typed commands, and errors of one sentence each."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from recipes.errors import RecipeError
from recipes.presets import ABOUT, PRESETS, Recipe, preset
from recipes.sampling import Sampling

PROGRAM = "python -m recipes.nanogpt"


@dataclass(frozen=True)
class Train(Recipe):
    """Train a GPT on a text; the preset's settings can be changed one by one.

    Attributes:
        preset: Settings to start from; `presets` lists them.
        run_dir: Folder of the run; by default a new one below runs/.
        resume: `never`; `auto` goes on from the last checkpoint, if there is one; or a step.
        max_steps: Shorthand for trainer.max_steps.
    """

    preset: tyro.conf.Positional[str] = "quick"
    run_dir: Path | None = None
    resume: str = "never"
    max_steps: int | None = None

    def __call__(self) -> int:
        """Trains."""
        names = Recipe.__dataclass_fields__
        recipe = Recipe(**{name: getattr(self, name) for name in names})
        if self.max_steps is not None:
            recipe = replace(recipe, trainer=replace(recipe.trainer, max_steps=self.max_steps))
        if self.run_dir is None and self.resume != "never":
            raise RecipeError(
                f"--resume {self.resume} needs the folder of a run.", "Add --run-dir FOLDER."
            )
        from recipes.run import train

        path = self.run_dir or _new_folder(self.preset)
        return train(recipe, path, resume=self.resume)


@dataclass(frozen=True)
class Sample:
    """Write text with the best parameters of a run.

    Attributes:
        run: Folder of the run.
        prompt: Text to continue; - reads it from the standard input.
        tokens: How many to write.
        temperature: Below 1 is safer, above 1 wilder, 0 takes the most probable token always.
        top_k: Draw among the k most probable tokens only.
        top_p: Draw among the fewest tokens that hold this probability together.
        num: Texts to write.
        seed: The same seed writes the same text.
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
        """Writes, piece by piece as it is drawn."""
        sampling = Sampling(self.temperature, self.top_k, self.top_p)
        for name in ("tokens", "num"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name}={getattr(self, name)} must be at least 1.", "Use 1.")
        prompt = sys.stdin.read() if self.prompt == "-" else self.prompt
        from recipes.run import write

        pieces = write(
            self.run, prompt, tokens=self.tokens, num=self.num, seed=self.seed, sampling=sampling
        )
        for piece in pieces:
            print(piece, end="", flush=True)
        print()
        return 0


@dataclass(frozen=True)
class Eval:
    """Measure a run on a whole validation split, without dropout.

    Attributes:
        run: Folder of the run.
        data: Another text, by name or path; by default the run's own.
    """

    run: tyro.conf.Positional[Path]
    data: str | None = None

    def __call__(self) -> int:
        """Measures."""
        from recipes.run import validate

        found = validate(self.run, self.data)
        print(f"corpus          {found['corpus']}, validation split")
        print(f"tokens          {found['tokens']:,}")
        print(f"nats per token  {found['nats_per_token']:.4f}")
        print(f"bits per byte   {found['bits_per_byte']:.4f}")
        return 0


@dataclass(frozen=True)
class Size:
    """Count a preset's parameters, memory and work, from shapes alone.

    Attributes:
        preset: Which.
    """

    preset: tyro.conf.Positional[str] = "quick"

    def __call__(self) -> int:
        """Counts."""
        recipe = preset(self.preset)
        model = recipe.model
        if model.vocab_size is None:
            # The characters of Tiny Shakespeare, which is what the presets without one read.
            model = replace(model, vocab_size=65)
        from recipes.size import size_of

        size = size_of(model)
        print(f"{self.preset}: context {model.context}, vocabulary {model.vocab_size}\n")
        for part, count in size.parameters.items():
            print(f"{part:<22}{count:>15,}")
        print(f"{'parameters':<22}{size.total:>15,}\n")
        print(f"{'weights':<22}{_bytes(size.weight_bytes):>15}")
        print(f"{'training state':<22}{_bytes(size.training_bytes):>15}   without activations")
        print(f"{'cache, full context':<22}{_bytes(size.cache_bytes):>15}   one sequence")
        print(f"{'forward':<22}{size.forward_flops / 1e6:>9,.1f} MFLOP   per token")
        print(f"{'training':<22}{size.training_flops / 1e6:>9,.1f} MFLOP   per token")
        return 0


@dataclass(frozen=True)
class Presets:
    """List the presets."""

    def __call__(self) -> int:
        """Lists."""
        for name, recipe in PRESETS.items():
            model = recipe.model
            print(f"{name:<22}{ABOUT[name]}")
            print(
                f"{'':<22}{model.num_layers} layers, {model.num_heads} heads, "
                f"{model.features} wide, context {model.context}, batch {recipe.batch_size}, "
                f"{recipe.trainer.max_steps} steps on {recipe.data}"
            )
        return 0


def parse(arguments: Sequence[str]) -> Callable[[], int]:
    """The command that the arguments spell out; ends the process on `--help` and on misspelling.

    Raises:
        RecipeError: A preset that does not exist, or a setting that cannot be.
    """
    # The preset gives the defaults of all other options, so it is read before them.
    recipe = preset(_preset_in(arguments))
    defaults = {name: getattr(recipe, name) for name in Recipe.__dataclass_fields__}
    commands: Any = (
        Annotated[Train, tyro.conf.subcommand("train", default=Train(**defaults))]
        | Annotated[Sample, tyro.conf.subcommand("sample")]
        | Annotated[Eval, tyro.conf.subcommand("eval")]
        | Annotated[Size, tyro.conf.subcommand("size")]
        | Annotated[Presets, tyro.conf.subcommand("presets")]
    )
    return tyro.cli(
        commands,
        prog=PROGRAM,
        description="Train, sample, evaluate and size a GPT; without a command, train quick.",
        args=list(arguments),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; a `RecipeError` becomes two lines and exit code 2, without a traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["train", "quick"]
    debug = "--debug" in arguments
    with contextlib.suppress(ValueError):
        arguments.remove("--debug")
    try:
        return parse(arguments)()
    except RecipeError as error:
        if debug:
            raise
        print(f"error: {error.cause}\nfix:   {error.fix}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if debug:
            raise
        print("\nStopped at once; the last checkpoint holds.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader has what it wanted, as `head` does.
        sys.stderr.close()
        return 0


def _preset_in(arguments: Sequence[str]) -> str:
    """The preset that a `train` command names; the first word after it that is no option."""
    if list(arguments[:1]) == ["train"]:
        rest = arguments[1:]
        if rest and not rest[0].startswith("-"):
            return rest[0]
        for word in rest:
            if word in PRESETS:
                return word
    return "quick"


def _new_folder(name: str) -> Path:
    """A folder of its own below runs/, named by the preset and the time."""
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _bytes(count: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:,.1f} {unit}"
        count = count / 1024
    return f"{count:,.1f} GiB"
