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
        pytest.param(masked_lm, 250, 1 / 6, 0.23, marks=pytest.mark.further),
        pytest.param(sequence_to_sequence, 250, 1 / 100_000, 0.5, marks=pytest.mark.further),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_it_learns(recipe, steps: int, guessing: float, learnt: float, capsys) -> None:
    share = recipe.main(steps)
    assert share > learnt > guessing
    assert f"{share:.3f}" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [masked_lm, sequence_to_sequence], ids=lambda one: one.__name__)
def test_one_that_takes_long_to_learn_runs_to_its_end(recipe, capsys) -> None:
    share = recipe.main(2)
    assert f"{share:.3f}" in capsys.readouterr().out.splitlines()[-1]
