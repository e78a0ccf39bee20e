"""The shape of a mesh of devices as a plain value, without JAX, so that a command line reads it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from recipes.errors import RecipeError, nearest_of

# Axes over which a batch is split; the others split the work on each sequence.
BATCH_AXES = ("data", "fsdp", "expert")
# The axis that splits the tokens of each sequence.
TOKEN_AXIS = "sequence"


@dataclass(frozen=True)
class MeshShape:
    """How many devices lie along each axis of a mesh.

    Attributes:
        data: Copies of the parameters, each of which takes a part of the batch.
        fsdp: Parts of the batch, and of the parameters and the optimiser's state.
        expert: Parts of the batch, and of the experts of a mixture.
        sequence: Parts of each sequence, and of the activations of its tokens.
        tensor: Parts of the heads, of the hidden units of MLPs and of the vocabulary.

    Raises:
        RecipeError: A size below 1.

    Example:
        >>> shape = MeshShape.parse("fsdp=4,tensor=2")
        >>> print(shape, shape.devices, shape.batch_parts)
        fsdp=4,tensor=2 8 4
    """

    data: int = 1
    fsdp: int = 1
    expert: int = 1
    sequence: int = 1
    tensor: int = 1

    def __post_init__(self) -> None:
        for name, size in self.sizes.items():
            if size < 1:
                raise RecipeError(f"{name}={size} of the mesh must be at least 1.", "Leave it out.")

    def __str__(self) -> str:
        sizes = {name: size for name, size in self.sizes.items() if size > 1}
        return ",".join(f"{name}={size}" for name, size in (sizes or {"data": 1}).items())

    @classmethod
    def parse(cls, text: str) -> MeshShape:
        """Read sizes by name, such as `data=2,fsdp=4`; axes that are left out have one device.

        Raises:
            RecipeError: A name that is given twice or is not an axis, or a size that is not a
                number.
        """
        names, sizes = [field.name for field in fields(cls)], {}
        for part in text.split(","):
            name, equals, size = (piece.strip() for piece in part.partition("="))
            if not equals or not (size.isascii() and size.isdecimal()):
                raise RecipeError(
                    f"{part!r} in --mesh {text!r} is not an axis and its size.",
                    "Write them as --mesh data=2,fsdp=4.",
                )
            if name not in names:
                raise RecipeError(
                    f"{name!r} in --mesh {text!r} is not an axis.",
                    f"Use {nearest_of(name, names)}.",
                )
            if name in sizes:
                raise RecipeError(f"--mesh {text!r} has {name!r} twice.", "Leave one out.")
            sizes[name] = int(size)
        return cls(**sizes)

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes by name, in the order of the axes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def devices(self) -> int:
        """Number of devices."""
        return math.prod(self.sizes.values())

    @property
    def batch_parts(self) -> int:
        """Number of parts that a batch is split into."""
        return math.prod(self.sizes[name] for name in BATCH_AXES)

    def check_batch(self, batch_size: int, accumulate: int = 1) -> None:
        """Refuse a batch that the mesh does not divide.

        Raises:
            RecipeError: It names the nearest sizes that fit.
        """
        parts = self.batch_parts * accumulate
        if batch_size % parts:
            low = batch_size - batch_size % parts
            fits = f"{low} or {low + parts}" if low else str(parts)
            each = f", {accumulate} times (accumulate)" if accumulate > 1 else ""
            rows, rest = divmod(batch_size, self.batch_parts)
            if accumulate > 1 and not rest:
                most = max(n for n in range(1, accumulate) if rows % n == 0)
                fits = f"{fits}, or accumulate={most}"
            raise RecipeError(
                f"batch_size={batch_size} is split into {self.batch_parts} parts by --mesh {self}"
                f"{each}, and must be a multiple of {parts}.",
                f"Use --batch-size {fits}.",
            )

    def check_context(self, context: int) -> None:
        """Refuse sequences that the mesh does not divide.

        Raises:
            RecipeError: It names the nearest lengths that fit.
        """
        if context % self.sequence:
            low = context - context % self.sequence
            fits = f"{low} or {low + self.sequence}" if low else str(self.sequence)
            raise RecipeError(
                f"model.context={context} is split into {self.sequence} parts by --mesh {self}, "
                f"and must be a multiple of {self.sequence}.",
                f"Use --model.context {fits}.",
            )
