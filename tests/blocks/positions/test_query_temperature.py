"""`QueryTemperature`: the factors of published models, by position and not by place."""

import jax.numpy as jnp
import numpy as np
import pytest
from support.attention_inputs import placed

from blocks.context import Coordinates
from blocks.positions import QueryTemperature


def test_the_factor_grows_in_steps_with_the_position_and_leaves_keys() -> None:
    positions = [0, 8190, 8191, 16382, 16383, 81919]
    at = Coordinates(jnp.arange(6)[None], jnp.array([positions]))
    x = jnp.ones((1, 6, 2, 4))
    query, key = QueryTemperature().apply({}, x, x, placed(at))
    want = [1.0 + 0.1 * np.log(1 + n) for n in (0, 0, 1, 1, 2, 10)]
    np.testing.assert_allclose(query[0, :, 0, 0], want, rtol=1e-6)
    np.testing.assert_array_equal(key, x)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"interval": 0}, "interval=0 must be at least 1; Llama 4 has 8192"),
        ({"scale": -0.1}, "scale=-0.1 must be at least 0; Llama 4 has 0.1"),
    ],
    ids=str,
)
def test_fields_that_cannot_be_are_refused(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QueryTemperature(**fields)
