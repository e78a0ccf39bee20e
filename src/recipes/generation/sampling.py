"""Settings of sampling, as plain values without JAX."""

from dataclasses import dataclass

from recipes.errors import RecipeError


@dataclass(frozen=True)
class Sampling:
    """Settings for drawing the next token from the model's logits.

    Attributes:
        temperature: Divides the logits: below 1 is safer, above 1 wilder, 0 takes the most
            probable token always.
        top_k: Draw among the k most probable tokens only; None among all.
        top_p: Draw among the fewest tokens that hold this probability together; None among all.

    Raises:
        RecipeError: A value out of range.
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        # Written so that NaN fails too.
        if not 0.0 <= self.temperature < float("inf"):
            raise RecipeError(
                f"temperature={self.temperature} must be at least 0 and finite.",
                "Use 0 for the most probable token always, 0.8 as a start, 1 for the model as is.",
            )
        if self.top_k is not None and self.top_k < 1:
            raise RecipeError(
                f"top_k={self.top_k} must be at least 1.", "Leave it out to draw among all tokens."
            )
        if self.top_p is not None and not 0.0 < self.top_p <= 1.0:
            raise RecipeError(
                f"top_p={self.top_p} must be above 0 and at most 1.",
                "Leave it out to draw among all tokens.",
            )
