"""How a recipe is trained: the step, the loss and the checks that its trainer takes."""

from typing import Any

from blocks import checked
from recipes.config import Recipe
from recipes.experts import balance
from recipes.trainer.spikes import SpikeStep
from recipes.trainer.step import LossFunction, train_step


def trainer_options(recipe: Recipe, loss: LossFunction) -> dict[str, Any]:
    """Collect what `Trainer` takes for a recipe, so that profiles and plans are of the same step.

    Args:
        recipe: The settings.
        loss: Loss of a batch, to which that of experts is added.
    """
    step = SpikeStep(train_step, skip=recipe.trainer.skip_spikes)
    return {"step": step, "loss": balance(loss), "checks": checked}
