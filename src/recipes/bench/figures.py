"""The figures of a benchmark as values, which JSON holds; JAX is not needed to read them."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SCHEMA = 1


@dataclass(frozen=True)
class Spread:
    """A figure that was measured several times.

    Attributes:
        median: Its median.
        least: The smallest.
        most: The largest.
    """

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise measurements.

        Example:
            >>> Spread.of([3.0, 1.0, 2.0])
            Spread(median=2.0, least=1.0, most=3.0)
        """
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Machine:
    """The machine that was measured on, and its limits.

    Attributes:
        device: Kind of the devices that compute.
        devices: Their number.
        cores: Cores that this process may use.
        versions: Versions of Python and of the packages that results depend on.
        product_flops: Operations per second in matrix products of the step's shapes and precision.
        read_bytes: Bytes per second that are read from memory.
        elsewhere: Share of the cores that other programs took meanwhile; None if not known.
    """

    device: str
    devices: int
    cores: int
    versions: dict[str, str]
    product_flops: float
    read_bytes: float
    elsewhere: float | None


@dataclass(frozen=True)
class Training:
    """Training of a preset.

    Attributes:
        dtype: Precision of the computation.
        steps_per_second: Optimiser steps per second.
        tokens_per_step: Targets of one step.
        flops_per_token: Operations of forward and backward pass for a token.
        initialise_seconds: Time until parameters and optimiser exist.
        compile_seconds: Time to trace and to compile the step, nothing of it kept before.
        memory_bytes: The most memory that was held: of the device where it says so, or of the
            process; None if not known.
    """

    dtype: str
    steps_per_second: Spread
    tokens_per_step: int
    flops_per_token: float
    initialise_seconds: float
    compile_seconds: float
    memory_bytes: int | None

    @property
    def tokens_per_second(self) -> float:
        """Targets per second."""
        return self.steps_per_second.median * self.tokens_per_step

    def mfu(self, machine: Machine) -> float:
        """Share of the machine's fastest matrix products that training reaches."""
        return self.tokens_per_second * self.flops_per_token / machine.product_flops


@dataclass(frozen=True)
class Decoding:
    """Reading of prompts, and drawing of tokens after them, one by one.

    Attributes:
        batch: Prompts at a time.
        prompt: Tokens of each.
        tokens: Tokens that are drawn after each.
        prefill: Tokens of all prompts that are read in a second.
        decode: Tokens of all prompts that are drawn in a second.
        weight_bytes: Bytes of the parameters that a token may need, all experts among them.
    """

    batch: int
    prompt: int
    tokens: int
    prefill: Spread
    decode: Spread
    weight_bytes: int

    def bandwidth_share(self, machine: Machine) -> float:
        """Share of the time in which the machine could have read the weights once per token."""
        return self.decode.median / self.batch * self.weight_bytes / machine.read_bytes


@dataclass(frozen=True)
class Figures:
    """All that was measured of a preset.

    Attributes:
        preset: Its name, or the folder of a run.
        when: Date.
        machine: What measured.
        training: Training.
        decoding: Reading and drawing, for each number of prompts.
    """

    preset: str
    when: str
    machine: Machine
    training: Training
    decoding: tuple[Decoding, ...]

    def as_json(self) -> dict[str, Any]:
        """The figures, with the shares that are computed of them."""
        content = {"schema": SCHEMA, **dataclasses.asdict(self)}
        content["training"]["tokens_per_second"] = self.training.tokens_per_second
        content["training"]["mfu"] = self.training.mfu(self.machine)
        for row, drawn in zip(content["decoding"], self.decoding, strict=True):
            row["bandwidth_share"] = drawn.bandwidth_share(self.machine)
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Figures:
        """Read what `as_json` gave."""
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema={content['schema']} must be {SCHEMA}; measure anew.")
        return cls(
            preset=content["preset"],
            when=content["when"],
            machine=_made(Machine, content["machine"]),
            training=_made(Training, content["training"]),
            decoding=tuple(_made(Decoding, row) for row in content["decoding"]),
        )


def _made(kind: Any, content: dict[str, Any]) -> Any:
    """A value from its fields; others are computed."""
    spreads = "steps_per_second", "prefill", "decode"
    return kind(
        **{
            field.name: Spread(**value) if field.name in spreads else value
            for field in dataclasses.fields(kind)
            for value in (content[field.name],)
        }
    )
