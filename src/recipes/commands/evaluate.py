"""`eval RUN`: the loss on a whole validation split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import tyro

from recipes.config import Recipe
from recipes.data import load_corpus, load_tokenizer
from recipes.runs.folder import RunFolder


@dataclass(frozen=True)
class Eval:
    """Measure the best parameters of a run on a whole validation split, without dropout.

    Attributes:
        run: Folder of the run.
        data: Another text, as `train` takes it, of which the last tenth is read; the run's own if
            left out.
    """

    run: tyro.conf.Positional[Path]
    data: tuple[str, ...] = ()

    def __call__(self) -> int:
        """Run the evaluation and print a table."""
        folder = RunFolder(self.run)
        recipe = Recipe.from_json(folder.read_config())
        corpus = load_corpus(*(self.data or recipe.data), text_column=recipe.text_column)
        tokenizer = load_tokenizer(folder.tokenizer)
        ids = tokenizer.encode(corpus.text)

        from recipes.data.batches import evaluation_batches, split_tokens
        from recipes.nanogpt import next_token_loss
        from recipes.runs.published import load_run
        from recipes.runs.record import check_same_corpus
        from recipes.runs.report import bits_per_byte
        from recipes.trainer.evaluation import evaluate

        if not self.data:
            check_same_corpus(folder, corpus)
        _, held_out = split_tokens(ids, recipe.model.context)
        batches = evaluation_batches(
            held_out, context=recipe.model.context, batch_size=recipe.part_size
        )
        model, params, _ = load_run(self.run)
        found = evaluate(model.apply, params, batches, next_token_loss)
        loss = found["loss"]
        print(f"text            {corpus.name}, validation split")
        print(f"tokens          {found['weight']:,.0f}")
        print(
            f"nats per token  {loss:.4f}   (a uniform guess: {math.log(tokenizer.vocab_size):.4f})"
        )
        print(f"bits per byte   {bits_per_byte(loss, held_out, tokenizer):.4f}")
        return 0
