"""Settings of the races in `recipes.speedrun`."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Rates:
    """Learning rates of groups of parameters, and how they change in a run.

    Attributes:
        matrices: Rate of the matrices of layers, which Muon trains.
        tables: Rate of the embeddings of tokens, pairs and triples.
        head: Rate of the head.
        scalars: Rate of single weights.
        decay: Weight decay of the matrices of layers.
        cooldown: Share of the steps in which rates fall to zero.
        momentum: Muon's momentum at first, and after a fifth of the steps.
        betas: Adam's decay of means and of squares.
        iterations: Iterations of Muon; 0 has Adam train the matrices too.
    """

    matrices: float = 0.03
    tables: float = 0.02
    head: float = 0.01
    scalars: float = 0.02
    decay: float = 0.0
    cooldown: float = 0.7
    momentum: tuple[float, float] = (0.85, 0.95)
    betas: tuple[float, float] = (0.8, 0.95)
    iterations: int = 4


@dataclass(frozen=True)
class Race:
    """A race: the loss to reach, the model's sizes and the length of the training.

    Attributes:
        target: Validation loss to reach, in nats per character.
        steps: Steps of training.
        batch_size: Windows in a step.
        context: Characters in a window.
        num_layers: Layers.
        num_heads: Heads of attention.
        width: Width of the residual stream.
        pair_buckets: Rows of the table of pairs.
        triple_buckets: Rows of the table of triples; None has no such table.
        dropout_rate: Dropout probability on embeddings, attention weights and what layers add.
        dtype: Precision of the computation; None is that of the parameters, float32.
        rates: Settings of the optimiser.
    """

    target: float
    steps: int
    batch_size: int = 32
    context: int = 64
    num_layers: int = 2
    num_heads: int = 4
    width: int = 128
    pair_buckets: int = 2048
    triple_buckets: int | None = 16384
    dropout_rate: float = 0.0
    dtype: Literal["bfloat16"] | None = None
    rates: Rates = field(default_factory=Rates)


RACES = (
    Race(
        target=1.886,
        steps=80,
        batch_size=16,
        num_layers=1,
        rates=Rates(matrices=0.08, tables=0.02, momentum=(0.7, 0.85), cooldown=0.5),
    ),
    Race(
        target=1.4697,
        steps=1000,
        batch_size=4,
        context=512,
        num_layers=4,
        num_heads=3,
        width=192,
        triple_buckets=None,
        dropout_rate=0.05,
        dtype="bfloat16",
        rates=Rates(matrices=0.03, tables=0.008),
    ),
)
