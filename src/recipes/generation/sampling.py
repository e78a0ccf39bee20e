"""Settings of sampling, as plain values without JAX."""

from dataclasses import dataclass

from recipes.errors import RecipeError


@dataclass(frozen=True)
class Sampling:
    """Settings for drawing the next token from the model's logits.

    They apply in this order: penalty, temperature, top k, top p, min p.

    Attributes:
        temperature: Divides the logits: below 1 is safer, above 1 wilder, 0 takes the most
            probable token always.
        top_k: Draw among the k most probable tokens only; None among all.
        top_p: Draw among the fewest tokens that hold this probability together; None among all.
        min_p: Draw among tokens of at least this share of the greatest probability; None among all.
        repetition_penalty: Divides the positive logits of tokens that the text has already, and
            multiplies the negative ones; 1 for none.

    Raises:
        RecipeError: A value out of range.
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        # Written so that NaN fails too.
        if not 0.0 <= self.temperature < float("inf"):
            raise RecipeError(
                f"temperature={self.temperature} must be at least 0 and finite.",
                "Use 0 for the most probable token always, 0.8 as a start, 1 for the model as is.",
            )
        if self.top_k is not None and (type(self.top_k) is not int or self.top_k < 1):
            raise RecipeError(
                f"top_k={self.top_k} must be a whole number of at least 1.",
                "Leave it out to draw among all tokens.",
            )
        for name in ("top_p", "min_p"):
            share = getattr(self, name)
            if share is not None and not 0.0 < share <= 1.0:
                raise RecipeError(
                    f"{name}={share} must be above 0 and at most 1.",
                    "Leave it out to draw among all tokens.",
                )
        if not 0.0 < self.repetition_penalty < float("inf"):
            raise RecipeError(
                f"repetition_penalty={self.repetition_penalty} must be above 0 and finite.",
                "Use 1 for none, 1.2 as a start.",
            )


GREEDY = Sampling(temperature=0.0)
