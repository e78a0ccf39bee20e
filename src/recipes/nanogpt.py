"""A GPT from a text to a text: Karpathy's lecture and nanoGPT, told with blocks.

    python -m recipes.nanogpt             trains on the manual inside every CPython
    python -m recipes.nanogpt --help      says what else there is

References:
    Karpathy, Let's build GPT: from scratch, in code, spelled out, 2023, and nanoGPT, 2022.
    Radford et al., Language Models are Unsupervised Multitask Learners, 2019 (GPT-2).
"""

# JAX takes seconds to import on a slow machine. It is imported where it is used, so that `--help`
# and mistakes on the command line are answered at once.
from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from recipes.errors import RecipeError

if TYPE_CHECKING:
    import jax

    from blocks import CausalLM
    from recipes.data import Corpus
    from recipes.presets import Recipe
    from recipes.run_folder import RunFolder
    from recipes.trainer.state import TrainState

# An evaluation during training stops here, so that a large corpus does not spend its time on
# them; `eval` reads the whole split.
EVALUATION_TOKENS = 250_000
EVALUATION_BATCH = 64
SAMPLE_TOKENS = 300

Resume: TypeAlias = int | Literal["auto"] | None


@dataclass(frozen=True)
class GPTConfig:
    """The sizes and choices that make one GPT.

    Attributes:
        num_layers: Transformer blocks.
        num_heads: Heads of attention in each; they share the features evenly.
        features: Width of a token's vector.
        context: The most tokens that the model sees at once.
        vocab_size: Token ids; training takes the tokenizer's number, whatever stands here.
        dropout_rate: Share dropped of embeddings, attention weights and sublayer outputs.
        embedding_dropout: Drop of the embeddings too.
        activation: Between the projections of the MLP, which is four times as wide as the model.
        use_bias: Learn biases in projections and norms, and in the head where it is not tied.
        use_qkv_bias: Learn them in the projections to queries, keys and values too.
        tied_head: Score tokens with the table of embeddings instead of a matrix of the head's own.
        init_stddev: Of the first kernels in attention and MLPs; embeddings start at GPT-2's 0.02.
        scaled_residual_init: Start projections back to the residual stream smaller with depth, so
            that the sum of all layers has the variance of one.
    """

    num_layers: int = 12
    num_heads: int = 12
    features: int = 768
    context: int = 1024
    vocab_size: int | None = None
    dropout_rate: float = 0.0
    embedding_dropout: bool = True
    activation: Literal["gelu", "relu"] = "gelu"
    use_bias: bool = False
    use_qkv_bias: bool = False
    tied_head: bool = True
    init_stddev: float = 0.02
    scaled_residual_init: bool = True

    def __post_init__(self) -> None:
        for name in ("num_layers", "num_heads", "features", "context", "vocab_size"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise RecipeError(f"{name}={size} must be at least 1.", f"Give {name} a size.")
        if self.features % self.num_heads:
            divisors = [n for n in range(1, self.features + 1) if self.features % n == 0]
            raise RecipeError(
                f"num_heads={self.num_heads} must divide features={self.features}.",
                f"Use one of {', '.join(map(str, divisors))}.",
            )
        if not 0.0 <= self.dropout_rate < 1.0:
            raise RecipeError(
                f"dropout_rate={self.dropout_rate} must be at least 0 and below 1.",
                "Use 0 for none, 0.1 or 0.2 against overfitting.",
            )
        if not 0.0 < self.init_stddev < math.inf:
            raise RecipeError(f"init_stddev={self.init_stddev} must be positive.", "Use 0.02.")


def build_gpt(config: GPTConfig) -> CausalLM:
    """The model as a value: parts in their places, without weights."""
    import jax

    from blocks import (
        MLP,
        Biases,
        Causal,
        CausalLM,
        LayerNorm,
        LearnedPositions,
        LMHead,
        MultiHeadAttention,
        Normal,
        Stack,
        TokenEmbedding,
        TransformerBlock,
        gelu,
    )

    if config.vocab_size is None:
        raise ValueError("vocab_size=None must be known to build; use the tokenizer's vocab_size.")
    qkv_bias, bias = config.use_qkv_bias, config.use_bias
    embedding_init, init = Normal(stddev=0.02), Normal(stddev=config.init_stddev)
    # Two sublayers a layer add to the residual stream.
    depth = 2 * config.num_layers if config.scaled_residual_init else 1
    residual_init = Normal(stddev=config.init_stddev / math.sqrt(depth))

    return CausalLM(
        embed=TokenEmbedding(
            vocab_size=config.vocab_size,
            features=config.features,
            position=LearnedPositions(max_length=config.context, embedding_init=embedding_init),
            dropout_rate=config.dropout_rate if config.embedding_dropout else 0.0,
            embedding_init=embedding_init,
        ),
        stack=Stack(
            block=TransformerBlock(
                attention=MultiHeadAttention(
                    num_heads=config.num_heads,
                    mask=Causal(),
                    use_bias=Biases(query=qkv_bias, key=qkv_bias, value=qkv_bias, out=bias),
                    dropout_rate=config.dropout_rate,
                    kernel_init=init,
                    out_kernel_init=residual_init,
                ),
                mlp=MLP(
                    hidden=4 * config.features,
                    activation={"gelu": gelu, "relu": jax.nn.relu}[config.activation],
                    use_bias=bias,
                    kernel_init=init,
                    out_kernel_init=residual_init,
                ),
                norm=LayerNorm(use_bias=bias),
                dropout_rate=config.dropout_rate,
            ),
            depth=config.num_layers,
        ),
        norm=LayerNorm(use_bias=bias),
        head=LMHead(tied=True)
        if config.tied_head
        else LMHead(vocab_size=config.vocab_size, use_bias=bias, kernel_init=embedding_init),
    )


def next_token_loss(
    apply_fn: Any, params: Any, batch: dict[str, jax.Array], key: jax.Array | None
) -> tuple[jax.Array, dict[str, jax.Array]]:
    r"""The mean of $-\log p(\mathrm{token}_{t+1} \mid \mathrm{token}_{\le t})$, in nats.

    Args:
        apply_fn: The model's `apply`.
        params: Its parameters.
        batch: `inputs` and `targets`, `[batch, seq]`; `weights` of the targets where not all count.
        key: Of dropout; None for none.
    """
    import jax.numpy as jnp
    import optax

    rngs = None if key is None else {"dropout": key}
    logits = apply_fn({"params": params}, batch["inputs"], None, key is None, rngs=rngs)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"])
    weights = batch.get("weights", jnp.ones_like(losses))
    weight = weights.sum()
    return (losses * weights).sum() / weight, {"weight": weight}


def initial_state(recipe: Recipe, model: CausalLM) -> TrainState:
    """Parameters, optimiser and key before the first step; the seed decides them all."""
    import jax
    import jax.numpy as jnp

    from recipes.trainer.optimizers import adamw
    from recipes.trainer.state import TrainState

    initial, training = jax.random.split(jax.random.key(recipe.seed))
    tokens = jnp.zeros((1, 1), jnp.int32)
    return TrainState.create(
        apply_fn=model.apply,
        params=jax.jit(model.init)(initial, tokens)["params"],
        tx=adamw(recipe.optimizer, recipe.trainer.max_steps),
        key=training,
    )


def train(recipe: Recipe, corpus: Corpus, folder: RunFolder, *, resume: Resume = None) -> int:
    """Trains in the folder of a run, which this process has claimed; returns the exit code.

    Args:
        recipe: The settings.
        corpus: The text, nine tenths to train on and one to validate on.
        folder: Of the run.
        resume: A step, or `"auto"` for the last one saved, if any.

    Raises:
        RecipeError: What the user can mend; before the first step, unless the disk fails later.
    """
    import jax

    from recipes.data import build_tokenizer
    from recipes.data.batches import evaluation_batches, split_tokens, training_batches
    from recipes.generate import write
    from recipes.report import closing, opening, stopped
    from recipes.run_record import record
    from recipes.trainer.checkpoints import Checkpoints
    from recipes.trainer.evaluation import evaluate
    from recipes.trainer.loop import Trainer
    from recipes.trainer.metrics import MetricsFile
    from recipes.trainer.progress import TrainingProgress
    from recipes.trainer.signals import Interrupt

    # The text becomes token ids, and these become windows.
    tokenizer = build_tokenizer(recipe.tokenizer, corpus.text)
    tokens, held_out = split_tokens(tokenizer.encode(corpus.text), recipe.model.context)
    recipe = record(recipe, folder, tokenizer, corpus)
    context = recipe.model.context
    batches = training_batches(
        tokens, context=context, batch_size=recipe.batch_size, seed=recipe.seed
    )
    held_out = held_out[: EVALUATION_TOKENS + 1]
    validation = evaluation_batches(held_out, context=context, batch_size=EVALUATION_BATCH)

    # The model becomes a state: new, or as it was saved.
    model = build_gpt(recipe.model)
    state, saved, damaged = initial_state(recipe, model), {}, ()
    checkpoints = Checkpoints(folder.checkpoints)
    if isinstance(resume, int) or (resume == "auto" and checkpoints.steps()):
        restored = checkpoints.restore(state, None if resume == "auto" else resume)
        state, saved, damaged = restored.state, restored.record, restored.damaged
        batches.set_state(saved["position"])

    # Steps become rows of metrics; now and then they are looked at and kept.
    start, end = int(state.step), recipe.trainer.max_steps
    counted = {name: saved.get(name, 0) for name in ("tokens", "seconds")}
    trainer = Trainer(state, loss=next_token_loss, settings=recipe.trainer, **counted)
    with TrainingProgress(end, start=start) as progress, Interrupt() as interrupt:
        for sentence in damaged:
            progress.say(f"{sentence} The one before it is used.")
        progress.say(opening(recipe, corpus, folder, state))
        if start >= end:
            return 0
        metrics = MetricsFile(folder.metrics, after_step=start)
        for row in trainer.train(batches):
            step = row["step"]
            looks = step % recipe.trainer.eval_every == 0 or step == end
            # Read once: a signal that comes later belongs to the next row.
            signal = interrupt.received
            if looks:
                found = evaluate(model.apply, trainer.state.params, validation, next_token_loss)
                row["val_loss"] = found["loss"]
            # Metrics before the checkpoint: resuming from it must find its row.
            metrics.append(row)
            progress.row(row, log=step % (10 * recipe.trainer.log_every) == 0)
            if looks or signal:
                so_far = {"position": trainer.position, "tokens": trainer.tokens}
                so_far |= {"seconds": trainer.seconds, "val_loss": row.get("val_loss")}
                checkpoints.save(trainer.state, so_far)
            if looks:
                # A text starts as the corpus does, and has the same key at every look.
                pieces = write(
                    model,
                    trainer.state.params,
                    tokenizer,
                    corpus.text[:1],
                    tokens=SAMPLE_TOKENS,
                    context=context,
                    key=jax.random.key(recipe.seed),
                )
                text = "".join(pieces)
                folder.keep_sample(step, text)
                progress.say(text if step == end else text[:160], style="dim")
            if step == end:
                progress.say(closing(trainer, row, tokenizer, held_out, folder))
            elif signal:
                progress.say(stopped(signal, step, folder))
                return interrupt.exit_code
    return 0


if __name__ == "__main__":
    # The command line imports this file by its name: run as a script it is another module.
    from recipes.commands import main

    sys.exit(main())
