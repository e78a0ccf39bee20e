"""`eval RUN`: the loss and perplexity on a whole validation split."""

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
        whole: Whether to read the whole text.
    """

    run: tyro.conf.Positional[Path]
    data: tuple[str, ...] = ()
    whole: bool = False

    def __call__(self) -> int:
        """Run the evaluation and print a table."""
        folder = RunFolder(self.run)
        recipe = Recipe.from_json(folder.read_config())
        own = {} if self.data else {"weights": recipe.weights, "validation": recipe.validation}
        names = self.data or recipe.data
        corpus = load_corpus(*names, text_column=recipe.text_column, **own)
        tokenizer = load_tokenizer(folder.tokenizer)

        from recipes.data.batches import evaluation_batches
        from recipes.data.splits import split_corpus
        from recipes.data.token_cache import encoded
        from recipes.nanogpt import next_token_loss
        from recipes.runs.measures import measure
        from recipes.runs.published import load_run
        from recipes.runs.record import check_same_corpus
        from recipes.trainer.evaluation import evaluate

        if not self.data:
            check_same_corpus(folder, corpus)
        context = recipe.model.context
        if self.whole:
            text = encoded(corpus, tokenizer)
        else:
            text = split_corpus(corpus, tokenizer, context)[1].excerpt()
        options = {"context": context, "documents": recipe.documents}
        batches = evaluation_batches(text, batch_size=recipe.part_size, **options)
        model, params, _ = load_run(self.run)
        found = evaluate(model.apply, params, batches, next_token_loss)
        loss, guess = found["loss"], f"(a uniform guess: {math.log(tokenizer.vocab_size):.4f})"
        measures = measure(loss, text, tokenizer)
        print(f"text            {corpus.name}, {'whole' if self.whole else 'validation split'}")
        print(f"tokens          {found['weight']:,.0f}")
        print(f"nats per token  {loss:.4f}   {guess}")
        print(
            f"perplexity      {measures.per_token:,.4f} per token"
            f", {measures.per_word:,.4f} per word"
        )
        print(f"bits per byte   {measures.bits_per_byte:.4f}")
        return 0
