"""Settings of a run as plain values, without JAX, so that a command line can read them."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_type_hints

from recipes.errors import RecipeError
from recipes.trainer.mesh import MeshShape
from recipes.trainer.settings import OptimizerSettings, TrainerSettings

# Layers from which on one is compiled for all: a step takes somewhat longer, a start far less.
SCANNED = 16
# About how many tokens a CPU computes at a time where the settings do not say; the parts of
# `shakespeare-char` were fastest there. `benchmarks/README.md` says on which machine.
CPU_TOKENS = 2048
# In a config.json, what was changed when the run was resumed.
CHANGES = "changes"
# Largest number of parts that an error suggests.
MOST_PARTS = 256


@dataclass(frozen=True)
class GPTConfig:
    """Sizes and choices that make one GPT.

    Attributes:
        num_layers: Number of transformer blocks.
        num_heads: Attention heads per block; they share the features evenly.
        features: Width of the residual stream.
        context: Maximum sequence length.
        vocab_size: Number of token ids; training takes it from the tokenizer.
        dropout_rate: Dropout probability on embeddings, attention weights and sublayer outputs.
        embedding_dropout: Whether to drop embeddings too.
        activation: Activation of the MLP, which is four times as wide as the model.
        num_experts: Experts in each layer, of which a router picks `top_k` for each token; a single
            MLP if left out.
        top_k: Number of experts that a token uses.
        use_bias: Whether projections and norms have biases, and the head where it is not tied.
        use_qkv_bias: Whether the projections to queries, keys and values have biases too.
        tied_head: Whether the head scores tokens with the embedding table.
        init_stddev: Standard deviation of the initial weights of attention and MLPs; embeddings
            start at GPT-2's 0.02.
        base_width: Width at which the learning rate and `init_stddev` were found, so that they suit
            this model too (muP); heads are wider in a wider model, not more. If left out, both are
            used unchanged.
        scaled_residual_init: Whether projections back to the residual stream start smaller with
            depth, so that the sum of all layers has the variance of one.
        dtype: Precision of the computation; parameters, norms, softmax and loss are float32.
        remat: What layers compute again in the backward pass to save memory: none; full keeps
            nothing else than inputs of layers, sublayers the results of attention and MLP too, dots
            those of all products with weights.
        scan: Whether to compile one layer and loop over it, where many take long to compile; from
            16 layers on if left out.

    Raises:
        RecipeError: A size or rate out of range.
    """

    num_layers: int = 12
    num_heads: int = 12
    features: int = 768
    context: int = 1024
    vocab_size: int | None = None
    dropout_rate: float = 0.0
    embedding_dropout: bool = True
    activation: Literal["gelu", "relu"] = "gelu"
    num_experts: int | None = None
    top_k: int = 2
    use_bias: bool = False
    use_qkv_bias: bool = False
    tied_head: bool = True
    init_stddev: float = 0.02
    base_width: int | None = None
    scaled_residual_init: bool = True
    dtype: Literal["float32", "bfloat16"] = "float32"
    remat: Literal["none", "full", "sublayers", "dots"] = "none"
    scan: bool | None = None

    def __post_init__(self) -> None:
        sizes = "num_layers", "num_heads", "features", "context", "vocab_size", "base_width"
        for name in (*sizes, "num_experts", "top_k"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise RecipeError(f"{name}={size} must be at least 1.", f"Give {name} a size.")
        if self.features % self.num_heads:
            raise RecipeError(
                f"num_heads={self.num_heads} must divide features={self.features}.",
                f"Use one of {', '.join(map(str, _divisors(self.features)))}.",
            )
        if self.num_experts is not None and self.top_k > self.num_experts:
            raise RecipeError(
                f"top_k={self.top_k} is more than num_experts={self.num_experts}.",
                f"Use --model.top-k {self.num_experts} or fewer.",
            )
        if not 0.0 <= self.dropout_rate < 1.0:
            raise RecipeError(
                f"dropout_rate={self.dropout_rate} must be at least 0 and below 1.",
                "Use 0 for none, 0.1 or 0.2 against overfitting.",
            )
        if not 0.0 < self.init_stddev < math.inf:
            raise RecipeError(f"init_stddev={self.init_stddev} must be positive.", "Use 0.02.")

    @property
    def scanned(self) -> bool:
        """Whether one layer is compiled for all."""
        return self.num_layers >= SCANNED if self.scan is None else self.scan

    @property
    def width_multiplier(self) -> float:
        """Ratio of `features` to `base_width`; 1 without."""
        return 1.0 if self.base_width is None else self.features / self.base_width

    @property
    def hidden_stddev(self) -> float:
        r"""Standard deviation of the initial matrices of layers; it falls as $1 / \sqrt{width}$."""
        return self.init_stddev / math.sqrt(self.width_multiplier)

    @property
    def attention_scale(self) -> float | None:
        r"""Factor on scores: with a base width it falls as $1 / d$, and is $1 / \sqrt d$ there."""
        if self.base_width is None:
            return None
        return math.sqrt(self.num_heads / self.base_width) / self.width_multiplier


@dataclass(frozen=True)
class Recipe:
    """All settings that a run depends on.

    Attributes:
        data: The text: a corpus, files (text, .jsonl, .parquet), a folder, a pattern, - for the
            standard input, or hf:NAME[:CONFIG[:SPLIT]].
        weights: One for each name in `data`, to train on them in these proportions, rounded to a
            hundredth of the smallest; if left out, all tokens count alike.
        validation: Text to validate on, as `data`; the last tenth of `data` if left out.
        documents: What a row of a batch holds: joined takes documents as one text, packed keeps
            those apart that share a row, padded gives each rows of its own.
        text_column: Column of .jsonl, .parquet and hf: that holds the text.
        tokenizer: What a token is: characters, bytes, bpe:SIZE for byte pairs trained on the text,
            or the path of a tokenizer.json.
        batch_size: Sequences of `model.context` tokens per step.
        seed: Seed of parameters, dropout, the order of batches and samples.
        init_from: Published model to train further: a folder, or a name on the hub. It brings its
            tokenizer and sizes; of `model`, only `context` applies. A new model if left out.
        lora: Rank of LoRA adapters, trained instead of the model's own weights.
        model: The GPT.
        optimizer: How its parameters are updated.
        trainer: How long to train, and how often to evaluate.
        preset: Name of the preset that the settings started from; empty for none.

    Raises:
        RecipeError: A number out of range.
    """

    data: tuple[str, ...] = ("manual",)
    weights: tuple[float, ...] = ()
    text_column: str = "text"
    validation: tuple[str, ...] = ()
    documents: Literal["joined", "packed", "padded"] = "joined"
    tokenizer: str = "characters"
    batch_size: int = 12
    seed: int = 1337
    init_from: str | None = None
    lora: int | None = None
    model: GPTConfig = field(default_factory=GPTConfig)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    preset: str = ""

    def __post_init__(self) -> None:
        if not self.data:
            raise RecipeError("data is empty.", "Give --data a corpus, or the path of a text file.")
        if self.weights and len(self.weights) != len(self.data):
            raise RecipeError(
                f"weights={self.weights} and data={self.data} must have the same length.",
                "Give --weights a number for each name of --data.",
            )
        for weight in self.weights:
            if not 0.0 < weight < math.inf:
                raise RecipeError(
                    f"weights={self.weights} must be positive.",
                    "Leave a text out that is not to be trained on.",
                )
        if self.batch_size < 1:
            raise RecipeError(f"batch_size={self.batch_size} must be at least 1.", "Use 12 or 64.")
        if self.lora is not None and (self.lora < 1 or self.init_from is None):
            raise RecipeError(
                f"lora={self.lora} must be at least 1, and adapts the model of init_from="
                f"{self.init_from}.",
                "Use --init-from FOLDER --lora 8.",
            )
        if self.model.base_width is not None and self.init_from is not None:
            raise RecipeError(
                f"model.base_width={self.model.base_width} is for a new model, and "
                f"init_from={self.init_from} is published.",
                "Leave out --model.base-width.",
            )
        if not 0 <= self.seed < 2**32:
            raise RecipeError(
                f"seed={self.seed} is out of range.", "Use a seed from 0 to 4294967295."
            )
        parts = self.trainer.parts
        if self.batch_size % parts:
            raise RecipeError(
                f"trainer.accumulate={parts} must divide batch_size={self.batch_size}.",
                f"Use one of {', '.join(str(n) for n in _divisors(self.batch_size))}.",
            )
        if self.trainer.mesh is not None:
            shape = MeshShape.parse(self.trainer.mesh)
            shape.check_batch(self.batch_size, parts)
            shape.check_context(self.model.context)

    @property
    def part_size(self) -> int:
        """Sequences that are computed at a time."""
        return self.batch_size // self.trainer.parts

    def on(self, platform: str) -> "Recipe":
        """Fill in what depends on the device that trains: the parts of a batch, on one CPU."""
        if self.trainer.accumulate is not None:
            return self
        parts = 1
        if platform == "cpu" and self.trainer.mesh is None:
            wanted = CPU_TOKENS / self.model.context
            sizes = (n for n in range(1, CPU_TOKENS + 1) if self.batch_size % n == 0)
            parts = self.batch_size // min(sizes, key=lambda n: abs(math.log(n / wanted)))
        return dataclasses.replace(
            self, trainer=dataclasses.replace(self.trainer, accumulate=parts)
        )

    def as_json(self) -> dict[str, Any]:
        """The settings as `config.json` holds them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Recipe":
        """The settings of a `config.json`.

        Raises:
            RecipeError: A name that this version does not know, or a value out of range.
        """
        parts = {"model": GPTConfig, "optimizer": OptimizerSettings, "trainer": TrainerSettings}
        content = {name: value for name, value in content.items() if name != CHANGES}
        try:
            made = {name: _checked(kind, content[name], name) for name, kind in parts.items()}
            return _checked(cls, {**content, **made}, "it")
        except (KeyError, TypeError, OverflowError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise RecipeError(
                f"config.json is damaged or of another version: {reason}.",
                "Restore it from a copy, or use the version of linen-blocks that env.json names.",
            ) from error


def _divisors(size: int) -> list[int]:
    """The divisors of a size that are small enough to be told."""
    return [n for n in range(1, min(size, MOST_PARTS) + 1) if size % n == 0]


def _checked(kind: Any, fields: Any, where: str) -> Any:
    """Build a value from fields that were read; one that an older version lacks has its default."""
    # Imported here, as only reading a run needs it.
    from beartype.door import is_bearable

    if not isinstance(fields, dict):
        raise TypeError(f"{where} holds {fields!r} instead of fields")
    hints = get_type_hints(kind)
    fields = {n: tuple(v) if isinstance(v, list) else v for n, v in fields.items()}
    if unknown := sorted(fields.keys() - hints.keys()):
        raise TypeError(f"{where} has an unknown {unknown[0]!r}")
    for name, value in fields.items():
        # JSON has no other way to write 1.0 than 1; true is a number in Python alone.
        number = float(value) if type(value) is int and is_bearable(1.0, hints[name]) else value
        odd = type(value) is bool and bool not in (hints[name], *get_args(hints[name]))
        odd |= type(value) is int and abs(value) >= 2**63  # no size, and no float either
        if odd or not is_bearable(number, hints[name]):
            raise TypeError(f"{name}={value!r} is not {hints[name]}")
    return kind(**fields)
