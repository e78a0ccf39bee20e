"""Weights that are saved: whole, of the model that is described, in either layout of layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Stack, override
from blocks.layers import stack_layers
from recipes.errors import RecipeError
from recipes.weights import load, save
from recipes.weights.load import model_of
from recipes.weights.parameters import write_tensors
from recipes.weights.rules import Part

CONFIG = {
    "model_type": "llama", "vocab_size": 8, "hidden_size": 8, "intermediate_size": 12,
    "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def params():
    tokens = jnp.zeros((1, 2), jnp.int32)
    return model_of(CONFIG)[0].init(jax.random.key(0), tokens)["params"]


def test_layers_of_a_scan_are_saved_as_those_of_a_loop(params, tmp_path):
    scanned = {**params, "stack": stack_layers(params["stack"])}
    save(tmp_path / "loop", params, config=CONFIG)
    save(tmp_path / "scan", scanned, config=CONFIG)
    loop, scan = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("loop", "scan"))
    assert loop == scan
    again = load(tmp_path / "scan", scan=True)
    assert again.model == override(model_of(CONFIG)[0], Stack, scan=True)
    jax.tree.map(np.testing.assert_array_equal, again.params, scanned)


def test_groups_of_shared_layers_are_saved_from_a_loop_and_from_a_scan(tmp_path):
    config = {
        "model_type": "albert", "architectures": ["AlbertForMaskedLM"], "vocab_size": 8,
        "hidden_size": 8, "embedding_size": 4, "intermediate_size": 12, "num_hidden_layers": 4,
        "num_hidden_groups": 2, "num_attention_heads": 2, "max_position_embeddings": 4,
    }  # fmt: skip
    model, _, _ = model_of(config)
    params = model.init(jax.random.key(0), jnp.zeros((1, 2), jnp.int32))["params"]
    assert "layers" in params["stack"]["layer_1"]
    save(tmp_path / "loop", params, config=config)
    again = load(tmp_path / "loop", scan=True)
    assert set(again.params["stack"]) == {"layers"}
    save(tmp_path / "scan", again.params, config=config)
    loop, scan = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("loop", "scan"))
    assert loop == scan


def test_parameters_of_another_model_are_refused_and_nothing_is_written(params, tmp_path):
    other = {**params, "norm": {"scale": np.ones(9, np.float32)}}
    with pytest.raises(RecipeError, match=r"not those of this CausalLM\s+misshapen:  norm/scale"):
        save(tmp_path / "out", other, config=CONFIG)
    with pytest.raises(RecipeError, match="head/kernel"):
        save(tmp_path / "out", params, config={**CONFIG, "tie_word_embeddings": True})
    assert not (tmp_path / "out").exists()


def test_a_tensor_of_which_a_part_has_no_parameter_is_refused():
    names = {"a/kernel": Part("fused", index=0, sizes=(2, 3))}
    with pytest.raises(RecipeError, match="fused has 20 numbers, and parameters hold 8 of them"):
        write_tensors({"a": {"kernel": np.ones((4, 2), np.float32)}}, names)
