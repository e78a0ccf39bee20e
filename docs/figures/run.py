"""Figures of training runs, which are made when a page is built."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

from _build.drawing import BLUE, MUTED, style


def loss_curve(steps: int) -> Any:
    """The training loss of a tiny GPT on the manual inside every CPython, by its own trainer."""
    from recipes.data import build_tokenizer, load_corpus
    from recipes.data.batches import split_tokens, training_batches
    from recipes.nanogpt import GPTConfig, build_gpt, next_token_loss
    from recipes.trainer.loop import Trainer
    from recipes.trainer.optimizers import adamw
    from recipes.trainer.settings import AdamWSettings, TrainerSettings
    from recipes.trainer.state import TrainState

    corpus = load_corpus("manual")
    tokenizer = build_tokenizer("bytes", corpus.text)
    model = build_gpt(GPTConfig(num_layers=2, num_heads=4, features=64, context=32, vocab_size=256))
    training, _ = split_tokens(tokenizer.encode(corpus.text), 32)
    settings = TrainerSettings(max_steps=steps, log_every=5)
    state = TrainState.create(
        apply_fn=model.apply,
        params=model.init(jax.random.key(0), jnp.zeros((1, 32), jnp.int32))["params"],
        tx=adamw(AdamWSettings(learning_rate=3e-3, warmup_steps=5), steps),
        key=jax.random.key(1),
    )
    trainer = Trainer(state, loss=next_token_loss, settings=settings)
    rows = list(trainer.train(training_batches(training, context=32, batch_size=16, seed=0)))

    style()
    figure, axes = plt.subplots()
    axes.axhline(math.log(256), color=MUTED, linestyle="--", linewidth=1)
    axes.annotate("a uniform guess", (steps, math.log(256)), ha="right", va="bottom", color=MUTED)
    axes.plot([row["step"] for row in rows], [row["train_loss"] for row in rows], color=BLUE)
    axes.set(xlabel="step", ylabel="nats per byte", xlim=(0, steps), ylim=(2, 6))
    return figure
