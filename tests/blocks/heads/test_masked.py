"""The head of masked tokens: a transformed vector, of the input's width or of a table's."""

import jax
import numpy as np

from blocks import LayerNorm, LMHead, MaskedLMHead

X = np.array([[[1.0, -2.0], [3.0, 4.0]]], np.float32)
KERNEL = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 1.0]], np.float32)


def test_vectors_come_to_the_width_of_a_narrow_table() -> None:
    norm = LayerNorm(epsilon=1e-3, use_scale=False, use_bias=False)
    head = MaskedLMHead(
        head=LMHead(tied=True), features=3, activation=jax.nn.relu, norm=norm, use_bias=False
    )
    table = np.arange(12.0, dtype=np.float32).reshape(4, 3)
    got = head.apply({"params": {"dense": {"kernel": KERNEL}}}, X, table=table)
    h = np.maximum(X.astype(np.float64) @ KERNEL, 0.0)
    deviation = h - h.mean(axis=-1, keepdims=True)
    normed = deviation / np.sqrt(h.var(axis=-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(got, normed @ table.T, rtol=1e-5)
