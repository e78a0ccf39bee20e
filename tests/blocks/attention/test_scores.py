"""Score modifications and the bases that say what a slot expects."""

import jax.numpy as jnp
import numpy as np
import pytest

from blocks import Context, SoftCap
from blocks.attention import AttentionInputs, QKTransform, ScoreModification
from blocks.context import Coordinates

ORDER = jnp.arange(2)[None]
AT = Coordinates(ORDER, ORDER)


def test_soft_cap_bounds_large_scores_and_keeps_small_ones() -> None:
    scores = jnp.array([-1e6, -0.01, 0.0, 0.01, 1e6]).reshape(1, 1, 1, 5)
    got = SoftCap(cap=3.0).modify(scores, (), AT, AT)[0, 0, 0]
    np.testing.assert_allclose(got, [-3.0, -0.01, 0.0, 0.01, 3.0], rtol=1e-4)


@pytest.mark.parametrize("cap", [0.0, -1.0])
def test_a_cap_that_nothing_fits_under_is_refused(cap: float) -> None:
    with pytest.raises(ValueError, match=f"cap={cap} must be positive; Gemma 2 has 50"):
        SoftCap(cap=cap)


def test_a_base_says_that_it_does_nothing() -> None:
    x = jnp.ones((1, 2, 1, 2))
    with pytest.raises(TypeError, match=r"ScoreModification changes nothing: give it a method `mo"):
        ScoreModification().modify(x, (), AT, AT)
    with pytest.raises(TypeError, match=r"QKTransform changes nothing: give it a `__call__`"):
        QKTransform()(x, x, AttentionInputs(x[:, :, 0], Context(), True, AT, AT))
