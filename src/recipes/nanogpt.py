"""A GPT, trained and sampled: Karpathy's lecture and nanoGPT, built from blocks.

    python -m recipes.nanogpt             trains on the manual inside every CPython
    python -m recipes.nanogpt --help      lists the other commands

Read it from top to bottom: model, loss, state, training, sampling; `recipes.config` has the config.

References:
    Karpathy, Let's build GPT: from scratch, in code, spelled out, 2023, and nanoGPT, 2022.
    Radford et al., Language Models are Unsupervised Multitask Learners, 2019 (GPT-2).
"""

if __name__ == "__main__":  # The command line answers `--help` before JAX is imported.
    from recipes.interrupts import answer_interrupts

    answer_interrupts()  # before the imports that take long
    from recipes.commands import main

    raise SystemExit(main())

import math
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from blocks import (
    MLP,
    Auto,
    Biases,
    Causal,
    CausalLM,
    Context,
    LayerNorm,
    LearnedPositions,
    LMHead,
    MultiHeadAttention,
    Normal,
    Stack,
    TokenEmbedding,
    TransformerBlock,
    gelu,
    override,
)
from blocks.adapters import label_lora
from recipes.config import GPTConfig, Recipe
from recipes.data import Corpus, Tokenizer
from recipes.data.batches import evaluation_batches, training_batches
from recipes.data.splits import split_corpus
from recipes.experts import with_experts
from recipes.generation.sampling import Sampling
from recipes.generation.text import write
from recipes.kernels import on_mesh
from recipes.remat import REMAT
from recipes.runs.folder import Resume, RunFolder
from recipes.runs.hooks import run_hooks
from recipes.runs.record import record, settled
from recipes.runs.report import closing, opening
from recipes.runs.session import Session, restore
from recipes.runs.starting import check_rows, start_from, tokenizer_for
from recipes.runs.steps import trainer_options
from recipes.trainer.evaluation import evaluate
from recipes.trainer.loop import Trainer
from recipes.trainer.optimizers import build_optimizer
from recipes.trainer.sharding import create_on, make_mesh
from recipes.trainer.spikes import no_losses
from recipes.trainer.state import TrainState

# Of an evaluation in training, which takes as long as a third as many steps; `eval` reads it all.
EVALUATION_BATCHES = 32
SAMPLE_TOKENS = 300


def build_gpt(config: GPTConfig) -> CausalLM:
    """Build the model as a value: parts in their places, without weights.

    Raises:
        ValueError: The vocabulary is not known yet.
    """
    if config.vocab_size is None:
        raise ValueError("vocab_size=None must be known to build; use the tokenizer's vocab_size.")
    qkv_bias, bias = config.use_qkv_bias, config.use_bias
    embedding_init, init = Normal(stddev=0.02), Normal(stddev=config.hidden_stddev)
    # Two sublayers per layer add to the residual stream.
    depth = 2 * config.num_layers if config.scaled_residual_init else 1
    residual_init = Normal(stddev=config.hidden_stddev / math.sqrt(depth))

    model = CausalLM(
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
                    implementation=Auto(),
                    scale=config.attention_scale,
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
            remat=REMAT[config.remat],
            scan=config.scanned,
        ),
        norm=LayerNorm(use_bias=bias),
        head=LMHead(tied=True)
        if config.tied_head
        else LMHead(vocab_size=config.vocab_size, use_bias=bias, kernel_init=embedding_init),
    )
    model = override(model, LMHead, logit_scale=1.0 / config.width_multiplier)
    if config.num_experts is not None:
        model = with_experts(model, config.num_experts, config.top_k, config.width_multiplier)
    return model if config.dtype == "float32" else override(model, dtype=jnp.bfloat16)


def next_token_loss(
    apply_fn: Any, params: Any, batch: dict[str, jax.Array], key: jax.Array | None
) -> tuple[jax.Array, dict[str, jax.Array]]:
    r"""Compute the mean of $-\log p(\mathrm{token}_{t+1} \mid \mathrm{token}_{\le t})$, in nats.

    Args:
        apply_fn: The model's `apply`.
        params: Its parameters.
        batch: `inputs` and `targets`, `[batch, seq]`; where they are needed, `weights` of the
            targets and `segment_ids` of documents that share a row.
        key: Key of dropout; None for none.
    """
    rngs = None if key is None else {"dropout": key}
    context = Context(segment_ids=batch["segment_ids"]) if "segment_ids" in batch else None
    logits = apply_fn({"params": params}, batch["inputs"], context, key is None, rngs=rngs)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"])
    weights = batch.get("weights", jnp.ones_like(losses))
    weight = weights.sum()
    return (losses * weights).sum() / weight, {"weight": weight}


def initial_state(
    recipe: Recipe, model: nn.Module, params: Any = None, mesh: Mesh | None = None
) -> TrainState:
    """Create parameters unless they are given, optimiser and key before the first step."""
    initial, training = jax.random.split(jax.random.key(recipe.seed))
    steps, multiplier = recipe.trainer.max_steps, recipe.model.width_multiplier
    tx = build_optimizer(recipe.optimizer, steps, multiplier)
    if recipe.lora is not None:
        tx = optax.multi_transform({"lora": tx, "base": optax.set_to_zero()}, label_lora)

    def create(params: Any) -> TrainState:
        if params is None:
            params = jax.jit(model.init)(initial, jnp.zeros((1, 1), jnp.int32))["params"]
        options = {"tx": tx, "key": training, "extra": no_losses()}
        return TrainState.create(apply_fn=model.apply, params=params, **options)

    return create_on(mesh, create, params)


def train(recipe: Recipe, corpus: Corpus, folder: RunFolder, resume: Resume | None = None) -> int:
    """Train in the folder of a run, which this process has claimed; return the exit code.

    Args:
        recipe: The settings.
        corpus: The text to train on; a tenth validates, unless another text does.
        folder: Folder of the run.
        resume: How to go on with the run of the folder; None for a new one.

    Raises:
        RecipeError: A mistake in the settings or the corpus, or a failed write.
    """
    # Text becomes token ids, and these become windows.
    start = start_from(recipe)
    tokenizer = start.tokenizer if start else tokenizer_for(recipe.tokenizer, corpus, folder)
    context, end = recipe.model.context, recipe.trainer.max_steps
    tokens, held_out = split_corpus(corpus, tokenizer, context)
    check_rows(start, tokens)
    recipe = settled(recipe, folder, tokenizer, corpus, resume)
    windows = {"context": context, "documents": recipe.documents}
    batches = training_batches(tokens, batch_size=recipe.batch_size, seed=recipe.seed, **windows)
    held_out = held_out.excerpt(EVALUATION_BATCHES * recipe.batch_size * context + 1)
    validation = evaluation_batches(held_out, batch_size=recipe.part_size, **windows)

    # The model becomes a state: new, as it was published, or as it was saved.
    model = start.model if start else on_mesh(build_gpt(recipe.model), recipe.trainer.mesh)
    mesh = make_mesh(recipe.trainer.mesh)
    state = initial_state(recipe, model, start.params if start else None, mesh)
    saved = restore(state, batches, folder, resume)
    record(recipe, folder, tokenizer, corpus, step=saved.step)
    counted = {name: saved.record[name] for name in ("tokens", "seconds")}
    options = {"hooks": run_hooks(recipe, model, **counted), "settings": recipe.trainer, **counted}
    trainer = Trainer(saved.state, **trainer_options(recipe, next_token_loss), **options)

    # Steps become rows of metrics; at intervals the model is evaluated, and a sample is drawn.
    with Session(recipe, folder, trainer, saved) as session:
        session.say(opening(recipe, corpus, folder, saved))
        if session.lacks_sample:
            session.show(saved.step, excerpt(recipe, model, saved.state.params, tokenizer, corpus))
        for row in session.rows(batches):
            params = trainer.state.params
            if row["step"] % recipe.trainer.eval_every == 0 or row["step"] == end:
                row["val_loss"] = evaluate(model.apply, params, validation, next_token_loss)["loss"]
            session.keep(row)
            if "val_loss" in row:
                session.show(row["step"], excerpt(recipe, model, params, tokenizer, corpus))
            if row["step"] == end:
                session.say(closing(trainer, row, tokenizer, held_out, folder))
        return session.exit_code


def excerpt(
    recipe: Recipe, model: nn.Module, params: Any, tokenizer: Tokenizer, corpus: Corpus
) -> str:
    """Draw a text that starts as the corpus does, with the same key at every evaluation."""
    options = {"context": recipe.model.context, "key": jax.random.key(recipe.seed)}
    return "".join(sample(model, params, tokenizer, corpus.start, **options))


def sample(
    model: nn.Module,
    params: Any,
    tokenizer: Tokenizer,
    prompt: str,
    *,
    context: int,
    tokens: int = SAMPLE_TOKENS,
    key: jax.Array,
    sampling: Sampling = Sampling(),
) -> Iterator[str]:
    """Continue a prompt; yield the prompt and then the text, as it is drawn."""
    options = {"tokens": tokens, "context": context, "key": key, "sampling": sampling}
    return write(model, params, tokenizer, prompt, **options)
