"""The head behind a linear map: its widths, its activation, and what its own head is given."""

import jax
import jax.numpy as jnp
import numpy as np

from blocks import LMHead
from blocks.heads import ProjectedHead, ValueHead

X = np.array([[[1.0, -2.0], [3.0, 4.0]]], np.float32)
KERNEL = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 1.0]], np.float32)
BIAS = np.array([0.5, 0.0, -0.5], np.float32)


def test_its_head_is_given_the_mapped_vectors_and_the_table() -> None:
    head = ProjectedHead(head=LMHead(tied=True), features=3)
    table = np.arange(12.0, dtype=np.float32).reshape(4, 3)
    params = {"dense": {"kernel": KERNEL, "bias": BIAS}}
    got = head.apply({"params": params}, X, table=table)
    np.testing.assert_array_equal(got, (X @ KERNEL + BIAS) @ table.T)


def test_an_activation_stands_between() -> None:
    head = ProjectedHead(head=ValueHead(), features=3, activation=jax.nn.relu, use_bias=False)
    value = {"kernel": np.ones((3, 1), np.float32), "bias": np.array([7.0], np.float32)}
    params = {"dense": {"kernel": KERNEL}, "head": {"value": value}}
    got = head.apply({"params": params}, X)
    np.testing.assert_array_equal(got, np.maximum(X @ KERNEL, 0.0).sum(axis=-1) + 7.0)


def test_it_keeps_the_width_by_default() -> None:
    params = ProjectedHead(head=ValueHead()).init(jax.random.key(0), jnp.asarray(X))["params"]
    assert params["dense"]["kernel"].shape == (2, 2)
