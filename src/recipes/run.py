"""One run from a recipe to a folder: data, model, training, samples, checkpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from recipes.data import (
    Corpus,
    build_tokenizer,
    check_same_tokenizer,
    load_corpus,
    load_tokenizer,
    save_tokenizer,
)
from recipes.data.batches import evaluation_batches, split_tokens, training_batches
from recipes.data.tokenizers import Tokenizer
from recipes.errors import RecipeError
from recipes.generate import generate
from recipes.nanogpt import build_gpt, next_token_loss
from recipes.presets import Recipe
from recipes.run_folder import RunFolder, claimed, differences, write_json
from recipes.sampling import Sampling
from recipes.trainer.checkpoints import Checkpoints
from recipes.trainer.evaluation import evaluate
from recipes.trainer.loop import Trainer
from recipes.trainer.metrics import MetricsFile
from recipes.trainer.optimizers import adamw
from recipes.trainer.progress import TrainingProgress
from recipes.trainer.signals import Interrupt
from recipes.trainer.state import TrainState

# Evaluations during training stop here, so that a large corpus does not spend its time on them;
# `eval` reads the whole split.
EVALUATION_TOKENS = 250_000
EVALUATION_BATCH = 64
SAMPLE_TOKENS = 200


def train(recipe: Recipe, path: Path, *, resume: str = "never") -> int:
    """Trains, or goes on training, in the folder `path`; returns the process' exit code.

    Args:
        recipe: The settings, the vocabulary still open.
        path: Of the run.
        resume: `never`, `auto` for the last checkpoint if there is one, or a step.

    Raises:
        RecipeError: Anything that the user can mend, before the first step is compiled.
    """
    corpus = load_corpus(recipe.data)
    tokenizer = build_tokenizer(recipe.tokenizer, corpus.text)
    tokens, validation = split_tokens(tokenizer.encode(corpus.text), recipe.model.context)
    with claimed(path, resume=resume != "never") as folder, contextlib.ExitStack() as stack:
        recipe = _resolve(recipe, folder, tokenizer, corpus)
        model = build_gpt(recipe.model)
        state = initial_state(recipe, model)
        checkpoints = Checkpoints(folder.checkpoints)
        batches = training_batches(
            tokens, context=recipe.model.context, batch_size=recipe.batch_size, seed=recipe.seed
        )
        record: dict[str, Any] = {}
        if resume != "never" and (checkpoints.steps() or resume != "auto"):
            restored = checkpoints.restore(state, None if resume == "auto" else _step(resume))
            state, record = restored.state, restored.record
            batches.set_state(record["position"])
        start, last = int(state.step), recipe.trainer.max_steps
        progress = stack.enter_context(TrainingProgress(last, start=start))
        if start >= last:
            progress.say(f"{path} is done: it has {start} of {last} steps.")
            return 0
        progress.say(_headline(recipe, state, corpus, path, start))
        metrics = MetricsFile(folder.metrics, after_step=start)
        interrupt = stack.enter_context(Interrupt())
        trainer = Trainer(
            state,
            loss=next_token_loss,
            settings=recipe.trainer,
            tokens=record.get("tokens", 0),
            seconds=record.get("seconds", 0.0),
        )
        part = evaluation_batches(
            validation[: EVALUATION_TOKENS + 1],
            context=recipe.model.context,
            batch_size=EVALUATION_BATCH,
        )
        for row in trainer.train(batches):
            step = row["step"]
            ends = step == last
            looks = step % recipe.trainer.eval_every == 0 or ends
            if looks:
                found = evaluate(model.apply, trainer.state.params, part, next_token_loss)
                row["val_loss"] = found["loss"]
            if looks or interrupt.received:
                kept = {"position": trainer.position, "tokens": trainer.tokens}
                checkpoints.save(
                    trainer.state,
                    {**kept, "seconds": trainer.seconds, "val_loss": row.get("val_loss")},
                )
            metrics.append(row)
            progress.row(row, log=step % (10 * recipe.trainer.log_every) == 0)
            if looks:
                text = _sample(recipe, model, trainer.state.params, tokenizer, corpus, step)
                folder.sample(step).parent.mkdir(exist_ok=True)
                folder.sample(step).write_text(text, "utf-8")
                progress.say(_indented(text if ends else text[:160]), style="dim")
            if interrupt.received and not ends:
                progress.say(
                    f"Stopped by {interrupt.received.name} after step {step}, which is saved. "
                    f"Go on with --run-dir {path} --resume auto."
                )
                return interrupt.exit_code
        progress.say(_summary(recipe, trainer, row, tokenizer, path))
    return 0


def initial_state(recipe: Recipe, model: nn.Module) -> TrainState:
    """The state before the first step, from the seed."""
    parameters, training = jax.random.split(jax.random.key(recipe.seed))
    tokens = jnp.zeros((1, 1), jnp.int32)
    return TrainState.create(
        apply_fn=model.apply,
        params=jax.jit(model.init)(parameters, tokens)["params"],
        tx=adamw(recipe.optimizer, recipe.trainer.max_steps),
        key=training,
    )


def load_run(path: Path) -> tuple[Recipe, nn.Module, Any, Tokenizer, dict[str, Any]]:
    """A finished or interrupted run: settings, model, best parameters, tokenizer, env.json.

    Raises:
        RecipeError: The folder holds no run, no checkpoint, or a damaged one.
    """
    folder = RunFolder(path)
    recipe = Recipe.from_json(folder.read_config())
    params = Checkpoints(folder.checkpoints).restore_params()
    tokenizer = load_tokenizer(folder.tokenizer)
    return recipe, build_gpt(recipe.model), params, tokenizer, folder.read_env()


def write(
    path: Path, prompt: str, *, tokens: int, num: int, seed: int, sampling: Sampling
) -> Iterator[str]:
    """Continues a prompt with the best parameters of a run, `num` times; yields pieces of text."""
    recipe, model, params, tokenizer, _ = load_run(path)
    ids = tokenizer.encode(prompt or "\n")
    for index in range(num):
        if index:
            yield "\n\n---\n\n"
        yield prompt
        stream = tokenizer.stream()
        key = jax.random.fold_in(jax.random.key(seed), index)
        for chunk in generate(
            model,
            params,
            ids[None],
            tokens=tokens,
            context=recipe.model.context,
            key=key,
            sampling=sampling,
        ):
            yield stream.push(chunk[0])
        yield stream.flush()


def validate(path: Path, data: str | None) -> dict[str, Any]:
    """The loss of a run's best parameters on a whole validation split, without dropout.

    Raises:
        RecipeError: The corpus is not the one that the run was trained on, and none was asked for.
    """
    recipe, model, params, tokenizer, env = load_run(path)
    corpus = load_corpus(data or recipe.data)
    if data is None and corpus.sha256 != env["corpus_sha256"]:
        raise RecipeError(
            f"The corpus {recipe.data!r} has changed since the run was trained.",
            "Name the text to evaluate on with --data.",
        )
    _, validation = split_tokens(tokenizer.encode(corpus.text), recipe.model.context)
    batches = evaluation_batches(
        validation, context=recipe.model.context, batch_size=EVALUATION_BATCH
    )
    found = evaluate(model.apply, params, batches, next_token_loss)
    text = tokenizer.decode(validation[1:])
    bits = found["loss"] * found["weight"] / math.log(2.0)
    return {
        "corpus": corpus.name,
        "tokens": int(found["weight"]),
        "nats_per_token": found["loss"],
        "bits_per_byte": bits / len(text.encode()),
    }


def _resolve(recipe: Recipe, folder: RunFolder, tokenizer: Tokenizer, corpus: Corpus) -> Recipe:
    """The settings with nothing left open, recorded, and equal to those recorded before."""
    vocabulary = dataclasses.replace(recipe.model, vocab_size=tokenizer.vocab_size)
    recipe = dataclasses.replace(recipe, model=vocabulary)
    recorded = folder.read_config() if folder.exists else None
    if recipe.optimizer.decay_steps is None:
        steps = recipe.trainer.max_steps
        if recorded is not None:
            steps = recorded["optimizer"]["decay_steps"]
        decay = dataclasses.replace(recipe.optimizer, decay_steps=steps)
        recipe = dataclasses.replace(recipe, optimizer=decay)
    if recorded is not None:
        # How long to train may change; where the text lies may too, its content may not.
        own = {k: v for k, v in recipe.as_json().items() if k not in ("trainer", "data")}
        old = {k: v for k, v in recorded.items() if k not in ("trainer", "data")}
        if found := differences(old, own):
            raise RecipeError(
                f"The settings differ from those of the run: {'; '.join(found)}.",
                "Resume with the settings of the run, or start a new one in another folder.",
            )
        check_same_tokenizer(load_tokenizer(folder.tokenizer), tokenizer)
        if folder.read_env()["corpus_sha256"] != corpus.sha256:
            raise RecipeError(
                f"The corpus {recipe.data!r} is not the one that the run was trained on.",
                "Resume with the same text, or start a new run in another folder.",
            )
    else:
        save_tokenizer(tokenizer, folder.tokenizer)
        write_json(folder.env, _environment(corpus))
    write_json(folder.config, recipe.as_json())
    return recipe


def _environment(corpus: Corpus) -> dict[str, Any]:
    packages = ("linen-blocks", "jax", "flax", "optax", "orbax-checkpoint", "grain")
    return {
        "corpus": corpus.name,
        "corpus_sha256": corpus.sha256,
        "versions": {name: version(name) for name in packages},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": [str(device) for device in jax.devices()],
    }


def _step(resume: str) -> int:
    if not resume.isdecimal():
        raise RecipeError(f"--resume {resume} is no step.", "Use never, auto or a number.")
    return int(resume)


def _sample(
    recipe: Recipe, model: nn.Module, params: Any, tokenizer: Tokenizer, corpus: Corpus, step: int
) -> str:
    """A text from the parameters so far; it starts as the corpus does."""
    prompt = tokenizer.encode(corpus.text[:1])
    chunks = generate(
        model,
        params,
        prompt[None],
        tokens=SAMPLE_TOKENS,
        context=recipe.model.context,
        key=jax.random.fold_in(jax.random.key(recipe.seed), step),
        sampling=Sampling(),
    )
    return tokenizer.decode([token for chunk in chunks for token in chunk[0]])


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())


def _headline(recipe: Recipe, state: TrainState, corpus: Corpus, path: Path, start: int) -> str:
    count = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    verb = f"Going on from step {start}" if start else "Training"
    return (
        f"{verb}: a GPT of {count:,} parameters on {corpus.name} ({len(corpus.text):,} characters, "
        f"{recipe.model.vocab_size} different tokens)\nRun folder: {path}"
    )


def _summary(
    recipe: Recipe, trainer: Trainer, row: dict[str, Any], tokenizer: Tokenizer, path: Path
) -> str:
    uniform = math.log(tokenizer.vocab_size)
    return (
        f"Validation loss {row['val_loss']:.3f} nats per token; a uniform guess has "
        f"{uniform:.3f}.\n{row['step']} steps in {trainer.seconds:.0f} s, and "
        f"{trainer.compile_seconds:.0f} s to compile.\n"
        f"Next: python -m recipes.nanogpt sample {path}"
    )
