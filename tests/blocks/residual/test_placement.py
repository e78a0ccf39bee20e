"""Residual layouts, with sublayers and norms that show where they stand."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import PostNorm, PreNorm
from blocks.residual import Residual

X = jnp.array([[[1.0, 2.0]]])
SUBLAYERS = {"first": lambda h: 3.0 * h, "second": lambda h: h + 5.0}


class Norms:
    """Adds ten times its number in the order of use, and remembers its names."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str) -> Callable[[jax.Array], jax.Array]:
        self.names.append(name)
        number = len(self.names)
        return lambda x: x + 10.0 * number


def test_pre_norm_normalises_what_goes_in() -> None:
    norms = Norms()
    got = PreNorm()(X, SUBLAYERS, norms)
    h = X + 3.0 * (X + 10.0)
    np.testing.assert_allclose(got, h + ((h + 20.0) + 5.0))
    assert norms.names == ["first_norm", "second_norm"]


def test_post_norm_normalises_the_sum() -> None:
    norms = Norms()
    got = PostNorm()(X, SUBLAYERS, norms)
    h = (X + 3.0 * X) + 10.0
    np.testing.assert_allclose(got, (h + (h + 5.0)) + 20.0)
    assert norms.names == ["first_norm", "second_norm"]


@pytest.mark.parametrize("layout", [PreNorm(), PostNorm()], ids=repr)
def test_no_sublayer_is_the_identity(layout: Any) -> None:
    np.testing.assert_array_equal(layout(X, {}, Norms()), X)


def test_a_base_says_that_it_does_nothing() -> None:
    with pytest.raises(TypeError, match=r"Residual is no layout: give it a `__call__`\."):
        Residual()(X, SUBLAYERS, Norms())


@pytest.mark.parametrize("layout", [PreNorm(), PostNorm()], ids=repr)
def test_what_does_not_fit_is_refused_by_name(layout: Any) -> None:
    name = type(layout).__name__
    with pytest.raises(TypeError, match=rf"{name}: argument `x`.*\n.*\n  actual:   f32\[1,2\]"):
        layout(X[0], SUBLAYERS, Norms())
    with pytest.raises(TypeError, match=rf"{name}: argument `x`.*\n.*Float.*\n.*i32\[1,1,2\]"):
        layout(X.astype(jnp.int32), SUBLAYERS, Norms())
