"""Feature maps: what products of features are, where learned ones start, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from blocks import LinearAttention
from blocks.recurrent import EluFeatures, FeatureMap, Hedgehog, TaylorFeatures

X = jax.random.normal(jax.random.key(0), (2, 3, 2, 4))
Y = jax.random.normal(jax.random.key(1), (2, 3, 2, 4))


def test_products_of_taylor_features_are_the_exponential_to_second_order() -> None:
    got = (TaylorFeatures().apply({}, X) * TaylorFeatures().apply({}, Y)).sum(axis=-1)
    scores = (np.asarray(X, np.float64) * np.asarray(Y, np.float64)).sum(axis=-1) / 2.0
    np.testing.assert_allclose(got, 1.0 + scores + scores**2 / 2.0, rtol=1e-5)


def test_hedgehog_starts_from_two_softmaxes_of_what_it_maps() -> None:
    got, variables = Hedgehog().init_with_output(jax.random.key(0), X)
    assert variables["params"]["kernel"].shape == (2, 4, 4)
    e = np.exp(np.asarray(X, np.float64))
    halves = [e / e.sum(-1, keepdims=True), (1 / e) / (1 / e).sum(-1, keepdims=True)]
    np.testing.assert_allclose(got, np.concatenate(halves, axis=-1), rtol=1e-5)


@pytest.mark.parametrize("feature_map", [EluFeatures(), Hedgehog()])
def test_features_are_positive_and_float32(feature_map: FeatureMap) -> None:
    features = feature_map.init_with_output(jax.random.key(0), X.astype(jnp.bfloat16))[0]
    assert features.dtype == jnp.float32
    assert features.min() > 0.0


def test_queries_and_keys_have_maps_of_their_own() -> None:
    block = LinearAttention(num_heads=4, num_kv_heads=2, feature_map=Hedgehog(features=1))
    params = jax.eval_shape(block.init, jax.random.key(0), jnp.ones((1, 2, 8)))["params"]
    assert params["query_features"]["kernel"].shape == (4, 2, 1)
    assert params["key_features"]["kernel"].shape == (2, 2, 1)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"features=0 must be at least 1; head_dim is usual"):
        Hedgehog(features=0)
    match = r"features=5 are more than head_dim=4.*give kernel_init=VarianceScaling\(\)"
    with pytest.raises(ValueError, match=match):
        Hedgehog(features=5).init(jax.random.key(0), X)
    with pytest.raises(TypeError, match=r"FeatureMap has no features: give it a `__call__`"):
        FeatureMap()(X)
