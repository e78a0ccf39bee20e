"""Distillation of softmax attention into the feature maps of linear attention."""

import operator

import jax
import jax.numpy as jnp

from blocks.attention.kernels import masked_softmax
from blocks.attention.masks import visible
from blocks.core.leave import leave
from blocks.core.typing import Array, Bool, Float, typed
from blocks.recurrent.linear_attention import LinearAttention
from blocks.recurrent.mixer import RecurrentInputs
from blocks.recurrent.products import SMALLEST_SUM, linear_weights, products_of


@typed
def softmax_weights(
    query: Float[Array, "batch q_seq heads head_dim"],
    key: Float[Array, "batch kv_seq kv_heads head_dim"],
    visible: Bool[Array, "#batch 1 #q_seq kv_seq"] | None = None,
) -> Float[Array, "batch heads q_seq kv_seq"]:
    r"""Weights of softmax attention, $\mathrm{softmax}(q^\top k / \sqrt{d})$, in float32."""
    return masked_softmax(products_of(query, key) * query.shape[-1] ** -0.5, visible)


@typed
def hedgehog_loss(
    weights: Float[Array, "batch heads q_seq kv_seq"],
    target: Float[Array, "batch heads q_seq kv_seq"],
    valid: Bool[Array, "batch q_seq"] | None = None,
) -> Float[Array, ""]:
    r"""Cross-entropy between the weights of softmax attention and those of linear attention.

    $$-\sum_s a_{ts} \log \hat a_{ts}$$

    The loss is the mean over rows $t$, heads and the batch. Its minimum is the entropy of the
    target, reached where both are equal.

    Args:
        weights: weights $\hat a$ of linear attention.
        target: weights $a$ of softmax attention, which receive no gradient.
        valid: True for rows that count.

    References:
        Zhang et al., The Hedgehog & the Porcupine, 2024, arXiv:2402.04347, section 4.
    """
    target = jax.lax.stop_gradient(target)
    rows = -(target * jnp.log(jnp.maximum(weights, SMALLEST_SUM))).sum(axis=-1)
    if valid is None:
        return rows.mean()
    count = jnp.maximum(valid.sum() * rows.shape[1], 1)
    return jnp.where(valid[:, None], rows, 0.0).sum() / count


class HedgehogDistillation(LinearAttention, kw_only=True):
    r"""Softmax attention that trains the feature maps of a `LinearAttention` to imitate it.

    Fields and parameters are those of `LinearAttention`, result and cost those of
    `MultiHeadAttention`. The loss, a `hedgehog_loss`, goes into the collection `losses` under the
    name `hedgehog`. Its gradients reach the feature maps only. After training, replace the block by
    a `LinearAttention` with the same parameters.

    Raises:
        ValueError: fields as in `LinearAttention`, or a call with a cache.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal
        >>> from blocks.recurrent import Hedgehog, HedgehogDistillation
        >>> teacher = HedgehogDistillation(num_heads=4, feature_map=Hedgehog(), mask=Causal())
        >>> x = jax.random.normal(jax.random.key(0), (1, 9, 32))
        >>> variables = jax.jit(teacher.init)(jax.random.key(1), x)
        >>> _, state = teacher.apply(variables, x, mutable=["losses"])
        >>> sorted(state["losses"])
        ['hedgehog']

        ```

    References:
        Zhang et al., The Hedgehog & the Porcupine, 2024, arXiv:2402.04347, section 4.
    """

    def check_cache(self) -> None:
        """Refuse any cache."""
        raise ValueError(
            "HedgehogDistillation keeps no cache; decode with the LinearAttention that it trains."
        )

    def mix(
        self, query: Array, key: Array, value: Array, inputs: RecurrentInputs
    ) -> tuple[Array, None]:
        """Attend by softmax, and report the loss of the feature maps."""
        at = inputs.query_at
        mask = visible(self.mask, at, at)
        target = softmax_weights(query, key, mask)
        leave(self, "attention_weights", lambda: target)
        features = self._features(*jax.lax.stop_gradient((query, key)))
        if not self.is_initializing():
            weights = linear_weights(*features, mask)
            loss = hedgehog_loss(weights, target, at.valid)
            self.sow("losses", "hedgehog", loss, operator.add, lambda: jnp.zeros(()))
        batch, seq, kv_heads, value_dim = value.shape
        group = self.num_heads // kv_heads
        shared = target.astype(value.dtype).reshape(batch, kv_heads, group, seq, seq)
        mixed = jnp.einsum("bgrqs,bsgd->bqgrd", shared, value)
        return mixed.reshape(batch, seq, self.num_heads, value_dim), None
