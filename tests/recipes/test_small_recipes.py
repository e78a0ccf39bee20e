"""Each small recipe learns: it ends well above what guessing gives."""

import pytest

from recipes import (
    image_classification,
    masked_lm,
    sequence_classification,
    sequence_to_sequence,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "steps", "guessing", "learnt"),
    [
        (image_classification, 300, 1 / 10, 0.35),
        (sequence_classification, 100, 1 / 2, 0.7),
        # The most frequent character is a space: about one in six.
        (masked_lm, 250, 1 / 6, 0.23),
        (sequence_to_sequence, 250, 1 / 100_000, 0.5),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_it_learns(recipe, steps: int, guessing: float, learnt: float, capsys) -> None:
    share = recipe.main(steps)
    assert share > learnt > guessing
    assert f"{share:.3f}" in capsys.readouterr().out.splitlines()[-1]
