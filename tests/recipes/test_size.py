from dataclasses import replace

import pytest

from recipes.config import GPTConfig, Recipe
from recipes.memory import least_bytes
from recipes.presets import PRESETS
from recipes.size import size_of
from recipes.trainer.settings import OptimizerSettings

GPT2 = size_of(PRESETS["gpt2-124m"].model)


def test_parts_of_gpt2_are_those_of_its_shapes() -> None:
    wide, layers = 768, 12
    assert GPT2.parameters == {
        "embedding": 50257 * wide,
        "positions": 1024 * wide,
        "norms": (2 * layers + 1) * 2 * wide,
        "attention": layers * (4 * wide**2 + 4 * wide),
        "MLPs": layers * (8 * wide**2 + 5 * wide),
    }
    assert GPT2.total == 124_439_808


def test_a_head_of_its_own_is_a_part() -> None:
    untied = size_of(GPTConfig(vocab_size=65, tied_head=False, features=96, use_bias=True))
    assert untied.parameters["head"] == 96 * 65 + 65


@pytest.mark.parametrize("tied_head", [True, False])
def test_work_agrees_with_the_estimate_of_palm(tied_head: bool) -> None:
    """Six per parameter and 12 layers x width x context, as nanoGPT estimates it.

    That counts norms as if they were matrices, and leaves out positions.
    """
    config = GPTConfig(vocab_size=50257, tied_head=tied_head)
    size = size_of(config)
    used = size.total - size.parameters["positions"]
    if not tied_head:
        used -= size.parameters["embedding"]
    estimate = 6 * used + 12 * 12 * 768 * 1024
    assert size.training_flops == pytest.approx(estimate, rel=1e-3)


@pytest.mark.parametrize(
    ("features", "experts", "squares"),
    [
        # Attention: four matrices with two axes; MLPs: one axis in each of two, and one 4 as long.
        (64, 3, 4 * 2 + 3 * 2 * (1 + 16)),
        (2560, None, 4 * 2 + 2),  # 10,240 is too long for a basis
    ],
)
def test_soap_keeps_preconditioners_and_bases(
    features: int, experts: int | None, squares: int
) -> None:
    sizes = {"features": features, "num_layers": 1, "num_heads": 4}
    model = GPTConfig(vocab_size=65, num_experts=experts, **sizes)
    soap = OptimizerSettings(name="soap")
    more = 2 * squares * features**2 * 4
    assert size_of(model, soap).training_bytes == size_of(model).training_bytes + more
    adamw = Recipe(model=model)
    assert least_bytes(replace(adamw, optimizer=soap)) == least_bytes(adamw) + more


def test_memory_of_gpt2() -> None:
    assert GPT2.weight_bytes == 124_439_808 * 4
    # Weights, gradients and two moments.
    assert GPT2.training_bytes == 124_439_808 * 16
    # Keys and values of 12 layers, 768 wide, for 1024 tokens, and for each its order, its
    # position, its document and whether it is real.
    assert GPT2.cache_bytes == 12 * 1024 * (2 * 768 * 2 + 4 + 4 + 4 + 1)
