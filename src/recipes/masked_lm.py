"""BERT's training on the characters of Python's manual: masked ones are found again.

Run it with `python -m recipes.masked_lm`.

References:
    Devlin et al., BERT, 2018, arXiv:1810.04805, section 3.1 and appendix A.1.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax

from blocks import (
    MLP,
    Encoder,
    LayerNorm,
    LMHead,
    MaskedLMHead,
    MultiHeadAttention,
    RoPE,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from recipes.data import build_tokenizer, load_corpus
from recipes.trainer.evaluation import evaluate
from recipes.trainer.loop import Batch, Trainer
from recipes.trainer.losses import cross_entropy
from recipes.trainer.settings import TrainerSettings
from recipes.trainer.state import TrainState

LENGTH, MASKED = 64, 0.15


def build_bert(vocab_size: int) -> Encoder:
    """Build a small BERT whose last token id is the mask."""
    layer = TransformerBlock(
        attention=MultiHeadAttention(num_heads=4, position=RoPE()), mlp=MLP(hidden=256)
    )
    return Encoder(
        embed=TokenEmbedding(vocab_size=vocab_size, features=64),
        stack=Stack(block=layer, depth=2),
        norm=LayerNorm(),
        head=MaskedLMHead(head=LMHead(tied=True, use_bias=True)),
    )


def masked(tokens: np.ndarray, vocab_size: int, rng: np.random.Generator) -> Batch:
    """Choose 15 % of the tokens: 80 % of these are masked, 10 % replaced, 10 % left."""
    chosen, kind = rng.random(tokens.shape) < MASKED, rng.random(tokens.shape)
    noise = rng.integers(vocab_size - 1, size=tokens.shape)
    changed = np.where(kind < 0.8, vocab_size - 1, np.where(kind < 0.9, noise, tokens))
    inputs = np.where(chosen, changed, tokens).astype(np.int32)
    return {"inputs": inputs, "targets": tokens, "weights": chosen.astype(np.float32)}


def batches(tokens: np.ndarray, vocab_size: int, size: int, seed: int = 0) -> Iterator[Batch]:
    """Draw windows of the text, masked anew each time, without end."""
    rng = np.random.default_rng(seed)
    windows = np.lib.stride_tricks.sliding_window_view(tokens, LENGTH)
    while True:
        yield masked(windows[rng.integers(len(windows), size=size)], vocab_size, rng)


def loss(apply_fn, params, batch, key):
    """Compute the cross-entropy of the chosen tokens."""
    logits = apply_fn({"params": params}, batch["inputs"], None, key is None)
    return cross_entropy(logits, batch["targets"], batch["weights"])


def main(steps: int = 400) -> float:
    """Train, and print the share of masked characters of held-out text that is found."""
    corpus = load_corpus("manual")
    tokenizer = build_tokenizer("characters", corpus.text)
    vocab_size = tokenizer.vocab_size + 1
    training, held_out = np.split(np.asarray(tokenizer.encode(corpus.text)), [400_000])
    model = build_bert(vocab_size)
    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, LENGTH), jnp.int32))["params"]
    tx = optax.adamw(optax.cosine_decay_schedule(3e-3, steps))
    state = TrainState.create(apply_fn=model.apply, params=params, tx=tx, key=jax.random.key(1))
    trainer = Trainer(state, loss=loss, settings=TrainerSettings(max_steps=steps, log_every=50))
    for row in trainer.train(batches(training, vocab_size, size=32)):
        print("step {step:4}  loss {train_loss:.3f}  accuracy {accuracy:.2f}".format(**row))
    unseen = batches(held_out, vocab_size, size=64, seed=1)
    found = evaluate(model.apply, trainer.state.params, [next(unseen) for _ in range(4)], loss)
    print(f"held-out text: {found['accuracy']:.3f} of the masked characters are found")
    return found["accuracy"]


if __name__ == "__main__":
    main()
