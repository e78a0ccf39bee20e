import pytest

from recipes.errors import RecipeError
from recipes.trainer.settings import OptimizerSettings, TrainerSettings


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainerSettings(max_steps=0), "max_steps=0 must be at least 1"),
        (lambda: TrainerSettings(log_every=-1), "log_every=-1 must be at least 1"),
        (lambda: OptimizerSettings(learning_rate=0.0), "learning_rate=0.0 must be above 0"),
        (lambda: OptimizerSettings(min_learning_rate=1.0), "must be from 0 to learning_rate=0.001"),
        (lambda: OptimizerSettings(beta2=1.0), "beta2=1.0 must be at least 0 and below 1"),
        (lambda: OptimizerSettings(clip_norm=0.0), "clip_norm=0.0 must be above 0"),
        (lambda: OptimizerSettings(decay_steps=0), "decay_steps=0 must be at least 1"),
        (lambda: OptimizerSettings(epsilon=0.0), "epsilon=0.0 must be above 0"),
        (lambda: OptimizerSettings(weight_decay=-0.1), "weight_decay=-0.1 must be"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make()
