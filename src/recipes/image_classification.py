"""A vision transformer that reads digits, drawn in noise at places that differ.

Run it with `python -m recipes.image_classification`.

References:
    Dosovitskiy et al., An Image is Worth 16x16 Words, 2020, arXiv:2010.11929 (ViT).
"""

from collections.abc import Iterator

import jax
import numpy as np
import optax

from blocks import (
    MLP,
    ClassifierHead,
    Encoder,
    GridPositions,
    LayerNorm,
    MultiHeadAttention,
    PatchEmbedding,
    Stack,
    TransformerBlock,
)
from recipes.trainer.evaluation import evaluate
from recipes.trainer.loop import Batch, Trainer
from recipes.trainer.losses import cross_entropy
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.state import TrainState

SIDE, PATCH = 16, 4  # pixels
# Each digit is five rows of three pixels, from the top.
ROWS = "111101101101111 010110010010111 111001111100111 111001011001111 101101111001001 "
ROWS += "111100111001111 111100111101111 111001001010010 111101111101111 111101111001111"
GLYPHS = np.array([[int(pixel) for pixel in rows] for rows in ROWS.split()]).reshape(10, 5, 3)

model = Encoder(
    embed=PatchEmbedding(
        size=PATCH,
        features=64,
        position=GridPositions(rows=SIDE // PATCH, columns=SIDE // PATCH),
        extra_tokens=1,
    ),
    stack=Stack(
        block=TransformerBlock(attention=MultiHeadAttention(num_heads=4), mlp=MLP(hidden=128)),
        depth=2,
    ),
    norm=LayerNorm(),
    head=ClassifierHead(num_classes=10),
)


def batches(size: int, seed: int = 0) -> Iterator[Batch]:
    """Draw digits twice as large as their glyphs, without end."""
    rng = np.random.default_rng(seed)
    glyphs = GLYPHS.repeat(2, axis=1).repeat(2, axis=2)
    while True:
        labels = rng.integers(10, size=size)
        images = rng.normal(0.0, 0.3, size=(size, SIDE, SIDE, 1)).astype(np.float32)
        for image, label in zip(images, labels, strict=True):
            top, left = rng.integers(SIDE - 10), rng.integers(SIDE - 6)
            image[top : top + 10, left : left + 6, 0] += glyphs[label]
        yield {"images": images, "labels": labels}


def loss(apply_fn, params, batch, key):
    """Compute the cross-entropy of the digits."""
    logits = apply_fn({"params": params}, batch["images"], None, key is None)
    return cross_entropy(logits, batch["labels"])


def main(steps: int = 600) -> float:
    """Train, and print the share of unseen images whose digit is found."""
    example = next(batches(1))["images"]
    params = jax.jit(model.init)(jax.random.key(0), example)["params"]
    tx = optax.adamw(optax.cosine_decay_schedule(3e-3, steps))
    state = TrainState.create(apply_fn=model.apply, params=params, tx=tx, key=jax.random.key(1))
    trainer = Trainer(state, loss=loss, settings=TrainerSettings(max_steps=steps, log_every=100))
    for row in trainer.train(batches(size=64)):
        print("step {step:4}  loss {train_loss:.3f}  accuracy {accuracy:.2f}".format(**row))
    unseen = batches(250, seed=1)
    found = evaluate(model.apply, trainer.state.params, [next(unseen) for _ in range(4)], loss)
    print(f"unseen images: {found['accuracy']:.3f} of 1000 are read right")
    return found["accuracy"]


if __name__ == "__main__":
    main()
