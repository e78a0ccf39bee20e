import jax
import jax.numpy as jnp
import numpy as np

from recipes.generation.sampling import Sampling
from recipes.generation.tokens import keep_min_p, keep_top_k, keep_top_p, sample_token


def test_top_k_and_top_p_keep_what_their_definitions_say() -> None:
    logits = np.log(np.array([0.1, 0.4, 0.2, 0.3]))
    assert np.isfinite(keep_top_k(jnp.array(logits), 2)).tolist() == [False, True, False, True]
    for p in (0.05, 0.4, 0.41, 0.7, 0.71, 1.0):
        order = np.argsort(-logits)
        total, kept = 0.0, set()
        for index in order:
            if total < p - 1e-6:
                kept.add(int(index))
            total += float(np.exp(logits[index]))
        finite = np.isfinite(keep_top_p(jnp.array(logits, jnp.float32), p))
        assert set(np.flatnonzero(finite)) == kept, p


def test_min_p_keeps_tokens_of_a_share_of_the_greatest_probability() -> None:
    probabilities = np.array([0.1, 0.4, 0.2, 0.3])
    for p in (0.2, 0.3, 0.6, 0.9, 1.0):
        finite = np.isfinite(keep_min_p(jnp.log(jnp.array(probabilities)), p))
        assert finite.tolist() == (probabilities >= p * 0.4 - 1e-6).tolist(), p


def test_frequencies_follow_the_softmax_at_the_temperature() -> None:
    logits = np.array([0.0, 1.0, 2.0])
    keys = jax.random.split(jax.random.key(0), 20_000)
    sampling = Sampling(temperature=0.5)
    tokens = jax.vmap(lambda key: sample_token(key, jnp.array(logits), sampling))(keys)
    expected = np.exp(logits / 0.5) / np.exp(logits / 0.5).sum()
    np.testing.assert_allclose(np.bincount(tokens, minlength=3) / 20_000, expected, atol=0.015)
