"""Which attention kernel a run has, and that training has the one that is named."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

from blocks import Auto, MultiHeadAttention, dot_product_attention, find
from blocks.attention.kernels import BandedAttention, auto
from recipes.config import GPTConfig, Recipe
from recipes.kernels import kernel_name, on_mesh
from recipes.nanogpt import build_gpt

CONFIG = GPTConfig(num_layers=1, num_heads=1, features=8, context=16, vocab_size=5)


def kernels(model: object) -> set[object]:
    return {part.implementation for part in find(model, MultiHeadAttention).values()}


@pytest.mark.parametrize("mesh", [None, "data=2", "fsdp=2,tensor=2"])
def test_a_mesh_that_keeps_sequences_whole_keeps_the_choice(mesh: str | None) -> None:
    assert kernels(on_mesh(build_gpt(CONFIG), mesh)) == {Auto()}


def test_a_mesh_that_splits_sequences_gets_the_plain_kernel() -> None:
    model = on_mesh(build_gpt(CONFIG), "data=2,sequence=2")
    assert kernels(model) == {dot_product_attention}
    recipe = Recipe(model=replace(CONFIG, context=2048), batch_size=64)
    split = replace(recipe.trainer, mesh="sequence=2")
    assert kernel_name(recipe) != "dot_product_attention"
    assert kernel_name(replace(recipe, trainer=split)) == "dot_product_attention"


@pytest.mark.parametrize(("batch", "many"), [(2, False), (2048, True)])
def test_training_has_the_kernel_that_is_named(
    monkeypatch: pytest.MonkeyPatch, batch: int, many: bool
) -> None:
    chosen = []

    def recording(self: Auto, call: auto.KernelCall) -> auto.Choice:
        chosen.append(choose(self, call))
        return chosen[-1]

    choose = Auto.choose
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    named = kernel_name(Recipe(model=CONFIG, batch_size=batch))
    monkeypatch.setattr(Auto, "choose", recording)
    tokens = jax.ShapeDtypeStruct((batch, CONFIG.context), jnp.int32)
    jax.eval_shape(build_gpt(CONFIG).init, jax.random.key(0), tokens)
    kernel = BandedAttention() if many else dot_product_attention
    assert {choice.kernel for choice in chosen} == {kernel}
    assert named == ("BandedAttention" if many else "dot_product_attention")
