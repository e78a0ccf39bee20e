"""The command line: parsing of commands, and display of errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import tyro

from recipes.commands.bench import Bench
from recipes.commands.compare import Compare
from recipes.commands.doctor import Doctor
from recipes.commands.evaluate import Eval
from recipes.commands.export import Export
from recipes.commands.failures import explained, unwritable
from recipes.commands.output import guarded_outputs
from recipes.commands.plan import Plan
from recipes.commands.profile import Profile
from recipes.commands.sample import Sample
from recipes.commands.size import Presets, Size
from recipes.commands.train import Train
from recipes.config import Recipe
from recipes.errors import RecipeError
from recipes.presets import PRESETS, preset
from recipes.programs import keep_programs
from recipes.runs.folder import RunFolder, is_published
from recipes.runs.shell import PROGRAM

DESCRIPTION = (
    "Train a GPT on a text, write with it, measure it. Without a command: train quick. "
    "With --debug a mistake shows its traceback, with --no-cache compiled programs are not kept "
    "on disk; --version prints the version."
)
# What other libraries call it.
SHORT: dict[str, str] = {
    **dict.fromkeys(("--lr", "--learning-rate", "--optimizer.lr"), "--optimizer.learning-rate"),
    "--accumulate": "--trainer.accumulate",
}


@dataclass(frozen=True)
class _Where:
    """The options of `train` that determine the defaults of all others."""

    run_dir: Path | None = None
    resume: str = "never"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code.

    A `RecipeError`, or a failure of the machine such as a full disk, becomes two lines on the
    standard error and exit code 2.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug, cached = "--debug" in words, "--no-cache" not in words
    words = [word for word in words if word not in ("--debug", "--no-cache")] or ["train", "quick"]
    with guarded_outputs() as out:
        try:
            command = _version if words == ["--version"] else parse(words)
            out.vital = not isinstance(command, Train)
            if cached and command is not _version:
                keep_programs()
            code = command()
            out.flush()
            return code
        except KeyboardInterrupt:
            if debug:
                raise
            print("\nStopped at once.", file=sys.stderr)
            return 130
        except Exception as error:
            out.vital = False
            if isinstance(error, OSError) and error is out.failure:
                # A reader that has enough closes the pipe, as `head` does.
                if isinstance(error, BrokenPipeError):
                    return 0
                known = unwritable(error)
            else:
                known = explained(error)
            if debug or known is None:
                raise
            print(f"error: {known.cause}\nfix:   {known.fix}", file=sys.stderr)
            return 2


def parse(
    words: Sequence[str],
) -> Train | Sample | Eval | Size | Plan | Bench | Compare | Presets | Export | Profile | Doctor:
    """Parse the arguments into a command; exit on `--help` and on unknown options.

    Raises:
        RecipeError: An unknown preset, or a setting out of range.
    """
    if words[0] in ("train", "size", "plan", "bench"):
        words = [_full(word) for word in words]
    recipe = _starting_point(words)
    settings = {field: getattr(recipe, field) for field in Recipe.__dataclass_fields__}
    commands: Any = (
        Annotated[Train, tyro.conf.subcommand("train", default=Train(**settings))]
        | Annotated[Sample, tyro.conf.subcommand("sample")]
        | Annotated[Eval, tyro.conf.subcommand("eval")]
        | Annotated[Size, tyro.conf.subcommand("size", default=Size(**settings))]
        | Annotated[Plan, tyro.conf.subcommand("plan", default=Plan(**settings))]
        | Annotated[Bench, tyro.conf.subcommand("bench", default=Bench(**settings))]
        | Annotated[Compare, tyro.conf.subcommand("compare")]
        | Annotated[Presets, tyro.conf.subcommand("presets")]
        | Annotated[Export, tyro.conf.subcommand("export")]
        | Annotated[Profile, tyro.conf.subcommand("profile")]
        | Annotated[Doctor, tyro.conf.subcommand("doctor")]
    )
    command = tyro.cli(
        commands,
        prog=PROGRAM,
        description=DESCRIPTION,
        args=list(words),
        default=Train(**settings),
    )
    if isinstance(command, Train):
        if command.preset != recipe.preset:
            raise RecipeError(
                f"The preset {command.preset!r} stands after an option.",
                f"Write it first: train {command.preset} --option value.",
            )
        if command.model.vocab_size != recipe.model.vocab_size:
            raise RecipeError(
                "--model.vocab-size is not for training: the tokenizer says how many tokens "
                "there are.",
                "Leave it out.",
            )
    return command


def _version() -> int:
    print(f"linen-blocks {version('linen-blocks')}")
    return 0


def _full(word: str) -> str:
    """A word with the full name of an option for its short one."""
    name, equals, value = word.partition("=")
    return f"{SHORT.get(name, name)}{equals}{value}"


def _starting_point(words: Sequence[str]) -> Recipe:
    """The default settings of a command: those of a preset, or of a run."""
    if words[0] in ("size", "plan", "bench"):
        return _sized(words[1:])
    if list(words[:1]) != ["train"]:
        return preset("quick")
    options = [word for word in words[1:] if word not in ("-h", "--help")]
    named = options[0] if options and not options[0].startswith("-") else None
    where, _ = tyro.cli(
        _Where, args=options[named is not None :], return_unknown_args=True, add_help=False
    )
    if where.resume != "never" and where.run_dir and RunFolder(where.run_dir).exists:
        run = Recipe.from_json(RunFolder(where.run_dir).read_config())
        if named is None or run.preset in (named, ""):
            return replace(run, preset=named or run.preset)
        from recipes.differences import differences

        found = differences(run.as_json(), preset(named).as_json())
        raise RecipeError(
            f"The run in {str(where.run_dir)!r} was started from {run.preset!r}, not {named!r}: "
            f"{'; '.join(found)}.",
            "Leave out the preset to go on with the run's own settings, or give --run-dir another "
            "folder.",
        )
    return preset(named or "quick")


def _sized(options: Sequence[str]) -> Recipe:
    """Subject of `size`, `plan` and `bench`: a preset, a run or a published model."""
    if not options or options[0].startswith("-"):
        return preset("quick")
    name = options[0]
    if is_published(Path(name)):
        return replace(preset("quick"), preset=name, init_from=name)
    if RunFolder(Path(name)).exists:
        return replace(Recipe.from_json(RunFolder(Path(name)).read_config()), preset=name)
    if Path(name).is_dir() and name not in PRESETS:
        raise RecipeError(
            f"The folder {name!r} holds no config.json, of a run or of a published model.",
            "Give the folder that `train` printed, or the name of a preset.",
        )
    return preset(name)
