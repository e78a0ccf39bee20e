from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recipes.trainer.arrays import read_arrays, read_back, stored_leaves, write_arrays
from recipes.trainer.digests import leaf_digests
from recipes.trainer.optimizers import build_optimizer
from recipes.trainer.settings import OptimizerSettings
from recipes.trainer.stored import differing_leaves

TREE = {"a": {"b": np.arange(3, dtype=np.int32)}, "c": np.full((2, 2), 0.5, jnp.bfloat16)}


def test_arrays_come_back_with_values_and_dtypes(tmp_path: Path) -> None:
    tree = jax.tree.map(jnp.asarray, TREE)
    write_arrays(tmp_path / "arrays", tree)
    found = read_arrays(tmp_path / "arrays", tree)
    chex.assert_trees_all_equal(found, tree)
    chex.assert_trees_all_equal_shapes_and_dtypes(found, tree)


def test_a_part_of_a_tree_can_be_read_alone(tmp_path: Path) -> None:
    write_arrays(tmp_path / "arrays", jax.tree.map(jnp.asarray, TREE))
    like = {"a": stored_leaves(tmp_path / "arrays")["a"]}
    chex.assert_trees_all_equal(read_arrays(tmp_path / "arrays", like), {"a": TREE["a"]})


def test_what_is_read_back_has_the_digests_of_what_was_written(tmp_path: Path) -> None:
    params = {"layer": {"kernel": jnp.ones((4, 8), jnp.bfloat16), "bias": jnp.arange(8.0)}}
    for name in ("adamw", "lion", "adafactor", "muon", "soap"):
        tx = build_optimizer(OptimizerSettings(name=name), 10)
        tree = {"params": params, "opt_state": tx.init(params), "step": jnp.int32(3)}
        write_arrays(tmp_path / name, tree)
        assert leaf_digests(read_back(tmp_path / name, tree)) == leaf_digests(tree)


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
