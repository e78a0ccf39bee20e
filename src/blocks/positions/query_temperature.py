"""`QueryTemperature`: queries that grow with their position."""

from typing import Annotated

import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.attention.qk import QKTransform
from blocks.core.bounds import at_least
from blocks.core.typing import Array, Float, typed


class QueryTemperature(QKTransform, kw_only=True):
    r"""Query temperature: a factor on queries that grows with the logarithm of position.

    $$q_t \leftarrow q_t \left(1 + s \ln\!\left(1 + \left\lfloor \frac{t + 1}{f}
    \right\rfloor\right)\right)$$

    The more keys a softmax runs over, the flatter it becomes; larger scores keep it sharp. Keys
    are unchanged. It goes into the slot `position` of layers without a rotation, as in Llama 4, or
    into `qk`.

    Attributes:
        interval: number $f$ of positions over which the factor stays the same.
        scale: the factor $s$ on the logarithm.

    Raises:
        ValueError: an interval below 1, or a negative factor.

    Example:
        ```python
        >>> from blocks import Causal, MultiHeadAttention
        >>> from blocks.positions import QueryTemperature
        >>> MultiHeadAttention(num_heads=4, position=QueryTemperature(), mask=Causal()).position
        QueryTemperature()

        ```

    References:
        Nakanishi, Scalable-Softmax Is Superior for Attention, 2025, arXiv:2501.19399.
        Meta, The Llama 4 Herd, 2025 (the rule is in its published code).
    """

    interval: Annotated[int, at_least(1, "; Llama 4 has 8192")] = 8192
    scale: Annotated[float, at_least(0, "; Llama 4 has 0.1")] = 0.1

    @typed
    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        inputs: AttentionInputs,
    ) -> tuple[
        Float[Array, "batch q_seq heads head_dim"], Float[Array, "batch kv_seq kv_heads head_dim"]
    ]:
        """Scale queries by their positions."""
        steps = (inputs.query_at.positions + 1) // self.interval
        factor = 1.0 + self.scale * jnp.log1p(steps.astype(jnp.float32))[:, :, None, None]
        return (query * factor).astype(query.dtype), key
