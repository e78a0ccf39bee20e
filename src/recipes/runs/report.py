"""Lines that training prints at its start, at its end and when it is interrupted."""

from __future__ import annotations

import math
from signal import Signals
from typing import TYPE_CHECKING

from recipes.errors import RecipeError
from recipes.runs.folder import NOT_FINITE
from recipes.runs.history import read_history
from recipes.runs.measures import measure
from recipes.runs.record import changed_versions
from recipes.runs.shell import PROGRAM, quoted
from recipes.trainer.metrics import find_lost_rows, ranked, rows_after

if TYPE_CHECKING:
    from recipes.config import Recipe
    from recipes.data import Corpus, Tokenizer
    from recipes.data.encoded import EncodedText
    from recipes.runs.folder import RunFolder
    from recipes.trainer.checkpoints import Restored
    from recipes.trainer.loop import Row, Trainer
    from recipes.trainer.not_finite import NotFiniteError
    from recipes.trainer.settings import OptimizerSettings, TrainerSettings


def opening(recipe: Recipe, corpus: Corpus, folder: RunFolder, saved: Restored) -> str:
    """The lines before the first step."""
    import jax

    model, start, end = recipe.model, int(saved.state.step), recipe.trainer.max_steps
    count = sum(leaf.size for leaf in jax.tree.leaves(saved.state.params))
    notes = [f"{sentence} The one before it is used." for sentence in saved.damaged]
    if lost := find_lost_rows(folder.metrics, saved.metrics):
        notes.append(lost)
    if start < end and (changed := changed_versions(folder)):
        notes.append(
            f"Versions differ, and results may in their last digits: {'; '.join(changed)}."
        )
    if start < end and (later := _later(folder, saved)):
        notes.append(f"{later}: kept until this course saves a step, then deleted.")
    said = "".join(f"{note}\n" for note in notes)
    if start >= end:
        return f"{said}The run in {folder.path} is done: it has {start} of {end} steps."
    begin = f"from step {start} to {end}" if start else f"{end} steps"
    parts = (
        f", {recipe.part_size} sequences at a time" if recipe.part_size < recipe.batch_size else ""
    )
    return (
        f"{said}model   {_sizes(recipe, folder)}, context {model.context}: {count:,} parameters\n"
        f"text    {corpus.name}: {corpus.characters:,} characters, {model.vocab_size} kinds of "
        "tokens\n"
        f"run     {folder.path}: {begin} of {recipe.batch_size} x {model.context} tokens{parts}"
        f"{_kernel(recipe)}"
    )


def _kernel(recipe: Recipe) -> str:
    """Which attention kernel trains; empty for a published model, which has its own."""
    if recipe.init_from is not None:
        return ""
    from recipes.kernels import kernel_name

    return f", attention by {kernel_name(recipe)}"


def _sizes(recipe: Recipe, folder: RunFolder) -> str:
    """What the model of a run is: its own sizes where it started from a published one."""
    model = recipe.model
    if recipe.init_from is None:
        return f"{model.num_layers} layers, {model.num_heads} heads, {model.features} features"
    from blocks import Stack, TokenEmbedding, find
    from recipes.data.sealed import read_sealed
    from recipes.runs.starting import kept_model

    started = kept_model(recipe, folder)
    layers = sum(stack.depth for stack in find(started, Stack).values())
    features = max(embed.features for embed in find(started, TokenEmbedding).values())
    adapters = f", adapters of rank {recipe.lora}" if recipe.lora is not None else ""
    kind = read_sealed(folder.model)["model_type"]
    return f"{kind} of {recipe.init_from}: {layers} layers, {features} features{adapters}"


def _later(folder: RunFolder, saved: Restored) -> str:
    """What a run has after the step that it is resumed at; empty if there is nothing."""
    rows = rows_after(folder.metrics, saved.metrics)
    later = [f"checkpoints of steps {', '.join(map(str, saved.later))}"] if saved.later else []
    later += [f"{rows} rows of metrics"] if rows else []
    step = int(saved.state.step)
    return f"After step {step} the run has {' and '.join(later)}" if later else ""


def stopped(signal: Signals, step: int, folder: RunFolder) -> str:
    """The line after an interrupt."""
    return (
        f"Stopped by {signal.name} after step {step}, which is saved. Go on with:\n"
        f"{PROGRAM} train --run-dir {quoted(folder.path)} --resume auto"
    )


def failed_after(step: int, what: str, error: Exception, folder: RunFolder) -> RecipeError:
    """The end after an evaluation or a sample that failed, and the command that goes on."""
    lines = str(error).splitlines() or [type(error).__name__]
    return RecipeError(
        f"The {what} after step {step} failed: {lines[0].rstrip('.')}. The step is saved.",
        "Repeat with --debug to see where, then go on with "
        f"{PROGRAM} train --run-dir {quoted(folder.path)} --resume auto",
    )


def spiked(row: Row, settings: TrainerSettings) -> str:
    """The line after steps whose loss rose far above those before."""
    what = (
        "it changed nothing"
        if settings.skip_spikes
        else "--trainer.skip-spikes leaves such steps out"
    )
    return (
        f"The loss spiked on the way to step {row['step']}, whose row has the mean "
        f"{row['train_loss']:.3f}; {what}."
    )


def given_up(
    error: NotFiniteError, before: int, settings: OptimizerSettings, folder: RunFolder
) -> RecipeError:
    """The end after gradients that were not finite, and the command that goes on.

    Args:
        error: What the trainer raised; its step is saved.
        before: The last step that was saved before these gradients, 0 for none.
        settings: The optimiser of the run.
        folder: Folder of the run.
    """
    # A rate of 1e20 is not ten times too high.
    rate = min(settings.learning_rate / 10, 1e-3)
    options = [f"--lr {rate:g}"]
    if settings.min_learning_rate is not None and settings.min_learning_rate > rate:
        options.append(f"--optimizer.min-learning-rate {rate / 10:g}")
    if settings.name == "muon":
        options.append(f"--optimizer.muon-learning-rate {settings.muon_learning_rate / 10:g}")
    # Of several processes none has the whole batches.
    batches = f", and its batches in {NOT_FINITE}" if error.batches else ""
    return RecipeError(
        f"{error.cause} The last finite parameters are saved as that step{batches}.",
        f"Go on from step {before} with a lower learning rate: {PROGRAM} train --run-dir "
        f"{quoted(folder.path)} --resume {before} --change {' '.join(options)}",
    )


def closing(
    trainer: Trainer, row: Row, tokenizer: Tokenizer, held_out: EncodedText, folder: RunFolder
) -> str:
    """The lines after the last step."""
    from recipes.trainer.checkpoints import Checkpoints

    loss, kept = row["val_loss"], Checkpoints(folder.checkpoints).best()
    losses, better = read_history(folder).series("val_loss").by_step(), ""
    # The checkpoint of the last step may still be being written.
    if kept in losses and ranked({kept: losses[kept], row["step"]: loss})[0] != row["step"]:
        better = (
            f"best            {losses[kept]:.3f} after step {kept}: sample, eval and export use "
            "its parameters\n"
        )
    return (
        f"validation loss {loss:.3f} nats per token, of {len(held_out) - 1:,}, "
        f"{measure(loss, held_out, tokenizer).bits_per_byte:.3f} bits per byte; "
        f"a uniform guess has {math.log(tokenizer.vocab_size):.3f} nats\n"
        f"{better}"
        f"time            {trainer.seconds:.0f} s to train, {trainer.compile_seconds:.0f} s to "
        "compile\n"
        f"next            {PROGRAM} sample {quoted(folder.path)}"
    )
