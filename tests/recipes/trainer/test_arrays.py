from collections.abc import Callable
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recipes.errors import RecipeError
from recipes.trainer import sharded_arrays
from recipes.trainer.arrays import (
    TENSORS,
    read_arrays,
    stored_digests,
    stored_leaves,
    write_arrays,
)
from recipes.trainer.digests import leaf_digests
from recipes.trainer.leaves import differing_leaves, named_leaves
from recipes.trainer.optimizers import build_optimizer
from recipes.trainer.settings import OptimizerSettings

TREE = {"a": {"b": np.arange(3, dtype=np.int32)}, "c": np.full((2, 2), 0.5, jnp.bfloat16)}


# Of one process, and of several.
forms = pytest.mark.parametrize("write", [write_arrays, sharded_arrays.write])


@forms
def test_arrays_come_back_with_values_and_dtypes(tmp_path: Path, write: Callable) -> None:
    tree = jax.tree.map(jnp.asarray, TREE)
    write(tmp_path / "arrays", tree)
    found = read_arrays(tmp_path / "arrays", tree)
    chex.assert_trees_all_equal(found, tree)
    chex.assert_trees_all_equal_shapes_and_dtypes(found, tree)


@forms
def test_a_part_of_a_tree_can_be_read_alone(tmp_path: Path, write: Callable) -> None:
    write(tmp_path / "arrays", jax.tree.map(jnp.asarray, TREE))
    like = {"a": {"b": stored_leaves(tmp_path / "arrays")["a.b"]}}
    chex.assert_trees_all_equal(read_arrays(tmp_path / "arrays", like), {"a": TREE["a"]})


@forms
def test_arrays_of_the_host_stay_there(tmp_path: Path, write: Callable) -> None:
    write(tmp_path / "arrays", TREE)
    found = jax.tree.leaves(read_arrays(tmp_path / "arrays", TREE))
    assert {type(leaf) for leaf in found} == {np.ndarray}


def test_the_file_of_one_process_is_read_by_the_format_s_own_library(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy", reason="comes with `transformers`")
    write_arrays(tmp_path / "arrays", {"a": TREE["a"], "z": np.full(2, 1j, np.complex64)})
    found = numpy.load_file(tmp_path / "arrays" / TENSORS)
    assert {name: array.tolist() for name, array in found.items()} == {
        "a.b": [0, 1, 2],
        "z": [1j, 1j],
    }


def test_what_the_file_cannot_hold_is_written_all_the_same(tmp_path: Path) -> None:
    tree = {"wave": np.full(2, 1j, np.complex128), "a": TREE["a"]}
    write_arrays(tmp_path / "arrays", tree)
    assert not (tmp_path / "arrays" / TENSORS).exists()
    chex.assert_trees_all_equal(read_arrays(tmp_path / "arrays", tree), tree)
    assert stored_digests(tmp_path / "arrays", tree) == leaf_digests(tree)


def test_two_arrays_of_one_name_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"Two arrays are called 'a.b'. Use names without a poin"):
        named_leaves({"a": {"b": 1}, "a.b": 2})


def test_what_is_read_back_has_the_digests_of_what_was_written(tmp_path: Path) -> None:
    params = {"layer": {"kernel": jnp.ones((4, 8), jnp.bfloat16), "bias": jnp.arange(8.0)}}
    for name in ("adamw", "lion", "adafactor", "muon", "soap"):
        tx = build_optimizer(OptimizerSettings(name=name), 10)
        tree = {"params": params, "opt_state": tx.init(params), "step": jnp.int32(3)}
        write_arrays(tmp_path / name, tree)
        assert stored_digests(tmp_path / name, tree) == leaf_digests(tree)


def test_what_is_damaged_has_other_digests_or_none(tmp_path: Path) -> None:
    write_arrays(tmp_path / "arrays", TREE)
    file = tmp_path / "arrays" / TENSORS
    content = file.read_bytes()
    for place in (0, len(content) - 1):
        file.write_bytes(bytes(byte ^ (n == place) for n, byte in enumerate(content)))
        assert stored_digests(file.parent, TREE) != leaf_digests(TREE)


def test_equal_trees_do_not_differ() -> None:
    assert differing_leaves(TREE, jax.tree.map(jnp.asarray, TREE)) == ""


@pytest.mark.parametrize(
    ("here", "text"),
    [
        ({**TREE, "c": np.zeros((2, 1), jnp.bfloat16)}, "c is bfloat16[2, 2] there and bfloat16[2"),
        ({**TREE, "c": np.zeros((2, 2))}, "c is bfloat16[2, 2] there and float64[2, 2] here"),
        ({"c": TREE["c"]}, "a.b is int32[3] there and absent here"),
        ({**TREE, "d": np.zeros(1)}, "d is absent there and float64[1] here"),
    ],
)
def test_a_difference_is_said_with_its_path(here: dict, text: str) -> None:
    assert differing_leaves(TREE, here).startswith(text)


def test_many_differences_are_counted() -> None:
    text = differing_leaves({str(n): np.zeros(1) for n in range(9)}, {})
    assert text.count("absent here") == 5
    assert text.endswith("; 4 more")
