"""Heads by which encoders are put to a task, and families for each of them."""

import dataclasses
from collections.abc import Callable

import flax.linen as nn

from blocks import ClassifierHead, Encoder, LMHead, override
from blocks.heads import DensePool, PooledHead
from recipes.weights.config import Config
from recipes.weights.families import Family, register
from recipes.weights.rules import Names


def labels(config: Config) -> int:
    """Number of classes; the reference writes none where there are two."""
    return int(config.get("num_labels", len(config.get("id2label", (0, 1)))))


def register_tasks(
    start: str,
    body: str,
    family: Family,
    encoder_names: Callable[[str, str], Names],
    *,
    pooled: bool = True,
    dense: str | None = None,
    classes: str = "classifier",
    pool: DensePool = DensePool(),
    rate: str = "classifier_dropout",
) -> None:
    """Register an encoder alone, and its classifiers of texts, of tokens and of answers.

    Args:
        start: What the reference's classes begin with, such as `Bert`.
        body: Its name of the encoder within them, such as `bert`.
        family: The family with the head of masked tokens.
        encoder_names: Names the weights of the encoder, by the start of our names and of its.
        pooled: Whether the encoder alone has a pooler, and gives its vector.
        dense: The reference's name of the layer before the classes of a text; None for the pooler.
        classes: Its name of the classes of a text.
        pool: How a text becomes one vector before its classes.
        rate: Field of the dropout before the classes.
    """

    def variant(
        kind: str, theirs: str, make: Callable[[Config], nn.Module | None], head: Names
    ) -> None:
        def build(config: Config) -> nn.Module:
            return override(family.build(config), Encoder, head=make(config))

        def names(config: Config) -> Names:
            config.ignore("tie_word_embeddings")
            return {**encoder_names("", theirs), **head}

        task = dataclasses.replace(family, build=build, names=names, tied={})
        register(f"{start}{kind}", task)

    def classifier(config: Config) -> ClassifierHead:
        return ClassifierHead(
            num_classes=labels(config),
            pool=pool,
            dropout_rate=config.get(rate, config.get("hidden_dropout_prob", 0.1)),
        )

    def tokens(config: Config) -> LMHead:
        return LMHead(vocab_size=labels(config), use_bias=True)

    def answers(config: Config) -> LMHead:
        return LMHead(vocab_size=2, use_bias=True)

    pooler = {"head/pool/dense": "pooler.dense"}
    variant(
        "Model",
        "",
        lambda config: PooledHead(pool=DensePool()) if pooled else None,
        pooler if pooled else {},
    )
    within = {"head/pool/dense": dense or f"{body}.pooler.dense", "head/classes": classes}
    variant("ForSequenceClassification", body, classifier, within)
    variant("ForTokenClassification", body, tokens, {"head": "classifier"})
    variant("ForQuestionAnswering", body, answers, {"head": "qa_outputs"})
