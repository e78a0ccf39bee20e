import pytest

from recipes.errors import RecipeError
from recipes.trainer.settings import AdamWSettings, TrainerSettings


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainerSettings(max_steps=0), "max_steps=0 must be at least 1"),
        (lambda: TrainerSettings(log_every=-1), "log_every=-1 must be at least 1"),
        (lambda: AdamWSettings(learning_rate=0.0), "learning_rate=0.0 must be above 0"),
        (lambda: AdamWSettings(min_learning_rate=1.0), "must be from 0 to learning_rate=0.001"),
        (lambda: AdamWSettings(beta2=1.0), "beta2=1.0 must be at least 0 and below 1"),
        (lambda: AdamWSettings(clip_norm=0.0), "clip_norm=0.0 must be above 0"),
        (lambda: AdamWSettings(decay_steps=0), "decay_steps=0 must be at least 1"),
        (lambda: AdamWSettings(epsilon=0.0), "epsilon=0.0 must be above 0"),
        (lambda: AdamWSettings(weight_decay=-0.1), "weight_decay=-0.1 must be"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make()
