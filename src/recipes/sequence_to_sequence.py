"""An encoder-decoder that reads dates as people write them: `7 March 1984` to `1984-03-07`.

Run it with `python -m recipes.sequence_to_sequence`.
"""

import datetime
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax

from blocks import (
    MLP,
    Causal,
    CausalLM,
    Context,
    CrossAttention,
    Encoder,
    EncoderDecoder,
    LayerNorm,
    LMHead,
    MultiHeadAttention,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.generation.generate import generate
from recipes.generation.sampling import Sampling
from recipes.trainer.loop import Batch, Trainer
from recipes.trainer.losses import cross_entropy
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.state import TrainState

FORMATS = ("%d %B %Y", "%B %d, %Y", "%d.%m.%Y", "%a %d %b %Y")
READ, WRITTEN = 18, 10  # characters of a date; padding and the start of what is written are 0
heads, mlp = 4, MLP(hidden=128)
model = EncoderDecoder(
    encoder=Encoder(
        embed=TokenEmbedding(vocab_size=128, features=64),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(num_heads=heads, position=RoPE()), mlp=mlp
            ),
            depth=2,
        ),
        norm=LayerNorm(),
    ),
    decoder=CausalLM(
        embed=TokenEmbedding(vocab_size=128, features=64),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(num_heads=heads, position=RoPE(), mask=Causal()),
                cross_attention=CrossAttention(num_heads=heads),
                mlp=mlp,
            ),
            depth=2,
        ),
        norm=LayerNorm(),
        head=LMHead(tied=True),
    ),
)


def encode(texts: list[str], length: int) -> np.ndarray:
    """Characters as numbers, filled up with zeros: `[texts, length]`."""
    return np.array([list(text.encode().ljust(length, b"\0")) for text in texts], np.int32)


def batches(size: int, seed: int = 0) -> Iterator[Batch]:
    """Draw dates of three centuries, in four ways of writing, without end."""
    rng = np.random.default_rng(seed)
    while True:
        days = [datetime.date.fromordinal(n) for n in rng.integers(657_000, 766_000, size=size)]
        read = [day.strftime(FORMATS[rng.integers(len(FORMATS))]) for day in days]
        targets = encode([day.isoformat() for day in days], WRITTEN)
        inputs = np.pad(targets[:, :-1], ((0, 0), (1, 0)))
        yield {"source": encode(read, READ), "inputs": inputs, "targets": targets}


def loss(apply_fn, params, batch, key):
    """Compute the cross-entropy of each character, given those before it and the source."""
    context = Context(memory_valid=batch["source"] > 0)
    logits = apply_fn({"params": params}, batch["inputs"], batch["source"], context, key is None)
    return cross_entropy(logits, batch["targets"])


def main(steps: int = 400) -> float:
    """Train, and print how many unseen dates are written right from first to last character."""
    example = next(batches(1))
    variables = jax.jit(model.init)(jax.random.key(0), example["inputs"], example["source"])
    tx = optax.adamw(optax.cosine_decay_schedule(3e-3, steps))
    state = TrainState.create(
        apply_fn=model.apply, params=variables["params"], tx=tx, key=jax.random.key(1)
    )
    trainer = Trainer(state, loss=loss, settings=TrainerSettings(max_steps=steps, log_every=50))
    for row in trainer.train(batches(size=64)):
        print("step {step:4}  loss {train_loss:.3f}  accuracy {accuracy:.2f}".format(**row))
    unseen = next(batches(200, seed=1))
    start, valid = jnp.zeros((200, 1), jnp.int32), unseen["source"] > 0
    options = {"tokens": WRITTEN, "source": unseen["source"], "source_valid": valid}
    greedy = Sampling(temperature=0.0)
    pieces = generate(model, trainer.state.params, start, sampling=greedy, **options)
    right = (np.concatenate(list(pieces), axis=1) == unseen["targets"]).all(axis=1).mean()
    print(f"unseen dates: {right:.3f} of 200 are written right")
    return float(right)


if __name__ == "__main__":
    main()
