import math

import pytest

from recipes.errors import RecipeError
from recipes.generation.sampling import Sampling


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"temperature": -0.1}, "temperature=-0.1 must be at least 0 and finite"),
        ({"temperature": math.nan}, "temperature=nan must be at least 0 and finite"),
        ({"temperature": math.inf}, "temperature=inf must be at least 0 and finite"),
        ({"top_k": 0}, "top_k=0 must be a whole number of at least 1"),
        ({"top_k": 1.5}, "top_k=1.5 must be a whole number of at least 1"),
        ({"min_p": 0.0}, "min_p=0.0 must be above 0 and at most 1"),
        ({"repetition_penalty": 0.0}, "repetition_penalty=0.0 must be above 0 and finite"),
        ({"top_p": 0.0}, "top_p=0.0 must be above 0 and at most 1"),
        ({"top_p": 1.5}, "top_p=1.5 must be above 0 and at most 1"),
        ({"top_p": math.nan}, "top_p=nan must be above 0 and at most 1"),
    ],
)
def test_values_out_of_range_are_refused(fields: dict[str, float], cause: str) -> None:
    with pytest.raises(RecipeError, match=cause):
        Sampling(**fields)  # pyright: ignore[reportArgumentType]  # of either type


def test_the_ends_of_the_ranges_are_allowed() -> None:
    Sampling(temperature=0.0, top_k=1, top_p=1.0)
