"""A classifier of texts: does a line come from Python's manual, or from its source code?

Run it with `python -m recipes.sequence_classification`.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax

from blocks import (
    ClassifierHead,
    Context,
    Encoder,
    GatedMLP,
    MeanPool,
    MultiHeadAttention,
    RMSNorm,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.data import load_corpus
from recipes.trainer.evaluation import evaluate
from recipes.trainer.loop import Batch, Trainer
from recipes.trainer.losses import cross_entropy
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.state import TrainState

LENGTH = 48  # bytes of a line; longer ones are cut, shorter ones padded
layer = TransformerBlock(
    attention=MultiHeadAttention(num_heads=4, position=RoPE()),
    mlp=GatedMLP(hidden=128),
    norm=RMSNorm(),
)
model = Encoder(
    embed=TokenEmbedding(vocab_size=256, features=64),
    stack=Stack(block=layer, depth=2),
    norm=RMSNorm(),
    head=ClassifierHead(num_classes=2, pool=MeanPool()),
)


def lines(name: str) -> np.ndarray:
    """The lines of a corpus as bytes, padded with zeros: `[lines, LENGTH]`."""
    texts = [line.strip().encode()[:LENGTH] for line in load_corpus(name).text.splitlines()]
    kept = [text for text in texts if len(text) > 20]
    return np.frombuffer(b"".join(text.ljust(LENGTH, b"\0") for text in kept), np.uint8).reshape(
        -1, LENGTH
    )


def batches(classes: list[np.ndarray], size: int, seed: int = 0) -> Iterator[Batch]:
    """Draw lines of all classes alike, without end."""
    rng = np.random.default_rng(seed)
    while True:
        labels = rng.integers(len(classes), size=size)
        rows = [classes[label][rng.integers(len(classes[label]))] for label in labels]
        yield {"lines": np.stack(rows).astype(np.int32), "labels": labels}


def loss(apply_fn, params, batch, key):
    """Compute the cross-entropy of the classes; padding is not attended to."""
    context = Context(valid=batch["lines"] > 0)
    logits = apply_fn({"params": params}, batch["lines"], context, key is None)
    return cross_entropy(logits, batch["labels"])


def main(steps: int = 300) -> float:
    """Train, and print the share of held-out lines whose class is found."""
    classes = [lines(name) for name in ("manual", "stdlib")]
    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, LENGTH), jnp.int32))["params"]
    tx = optax.adamw(optax.cosine_decay_schedule(2e-3, steps))
    state = TrainState.create(apply_fn=model.apply, params=params, tx=tx, key=jax.random.key(1))
    trainer = Trainer(state, loss=loss, settings=TrainerSettings(max_steps=steps, log_every=50))
    for row in trainer.train(batches([rows[::2] for rows in classes], size=32)):
        print("step {step:4}  loss {train_loss:.3f}  accuracy {accuracy:.2f}".format(**row))
    held_out = batches([rows[1::2] for rows in classes], size=250, seed=1)
    found = evaluate(model.apply, trainer.state.params, [next(held_out) for _ in range(4)], loss)
    print(f"held-out lines: {found['accuracy']:.3f} of 1000 are told apart")
    return found["accuracy"]


if __name__ == "__main__":
    main()
