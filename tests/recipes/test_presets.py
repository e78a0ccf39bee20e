import json
from dataclasses import replace

import pytest

from recipes.config import Recipe
from recipes.errors import RecipeError
from recipes.presets import ABOUT, PRESETS, preset


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_their_config_file(name: str) -> None:
    assert Recipe.from_json(json.loads(json.dumps(PRESETS[name].as_json()))) == PRESETS[name]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_says_what_it_is_for(name: str) -> None:
    assert ABOUT[name]


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        # layers, heads, features, context, dropout; batch, steps
        ("shakespeare-char", (6, 6, 384, 256, 0.2, 64, 5000)),
        ("shakespeare-char-cpu", (4, 4, 128, 64, 0.0, 12, 2000)),
    ],
)
def test_presets_after_nanogpt_have_its_numbers(name: str, sizes: tuple[float, ...]) -> None:
    """As in config/train_shakespeare_char.py, the defaults of train.py, and the README."""
    recipe, model, optimizer = preset(name), preset(name).model, preset(name).optimizer
    assert sizes == (
        *(model.num_layers, model.num_heads, model.features, model.context, model.dropout_rate),
        *(recipe.batch_size, recipe.trainer.max_steps),
    )
    assert not model.use_bias
    assert not model.use_qkv_bias
    assert model.tied_head
    assert model.activation == "gelu"
    assert (optimizer.learning_rate, optimizer.min_learning_rate) == (1e-3, 1e-4)
    assert (optimizer.warmup_steps, optimizer.decay_steps) == (100, recipe.trainer.max_steps)
    assert (optimizer.beta1, optimizer.beta2, optimizer.weight_decay) == (0.9, 0.99, 0.1)
    assert optimizer.clip_norm == 1.0
    assert recipe.trainer.eval_every == 250


def test_the_lecture_has_the_numbers_of_its_last_file() -> None:
    recipe, model, optimizer = (
        preset("lecture"),
        preset("lecture").model,
        preset("lecture").optimizer,
    )
    assert (model.num_layers, model.num_heads, model.features, model.context) == (6, 6, 384, 256)
    assert (model.dropout_rate, model.embedding_dropout, model.activation) == (0.2, False, "relu")
    assert (model.use_bias, model.use_qkv_bias, model.tied_head) == (True, False, False)
    assert (recipe.batch_size, recipe.trainer.max_steps, recipe.trainer.eval_every) == (
        64,
        5000,
        500,
    )
    # torch.optim.AdamW's defaults, no schedule, no clipping.
    assert (optimizer.learning_rate, optimizer.min_learning_rate) == (3e-4, None)
    assert (optimizer.warmup_steps, optimizer.clip_norm) == (0, None)
    assert (optimizer.beta1, optimizer.beta2, optimizer.weight_decay) == (0.9, 0.999, 0.01)


def test_an_unknown_preset_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"no preset 'shakespeare-cahr'.*'shakespeare-char', the"):
        preset("shakespeare-cahr")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"seed": 2**32}, "seed=4294967296 is out of range"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, int], cause: str) -> None:
    with pytest.raises(RecipeError, match=cause):
        replace(PRESETS["quick"], **change)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [("model", "use_bias", "no"), ("model", "num_layers", 2.5), ("trainer", "max_steps", None)],
)
def test_settings_of_another_type_are_refused(part: str, name: str, value: object) -> None:
    content = PRESETS["quick"].as_json()
    content[part][name] = value
    with pytest.raises(RecipeError, match=rf"config\.json is damaged.*{name}={value!r} is not"):
        Recipe.from_json(content)


@pytest.mark.parametrize("missing", ["model", "trainer"])
def test_settings_without_a_part_are_refused(missing: str) -> None:
    content = PRESETS["quick"].as_json()
    del content[missing]
    with pytest.raises(RecipeError, match=r"config\.json is damaged or of another version"):
        Recipe.from_json(content)
