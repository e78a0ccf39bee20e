"""`TwoTowers`: two encoders whose vectors are compared, as those of texts and of images."""

from typing import TypeAlias

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.slots import Embedding
from blocks.core.typing import Array, Dtype, Float, Int, typed
from blocks.heads.pooled import unit

# Token ids, vectors, or images, of which the two sides have different numbers.
First: TypeAlias = (
    Int[Array, "first_batch first_seq"]
    | Float[Array, "first_batch first_seq first_embed"]
    | Float[Array, "first_batch first_height first_width first_channels"]
)
Second: TypeAlias = (
    Int[Array, "second_batch second_seq"]
    | Float[Array, "second_batch second_seq second_embed"]
    | Float[Array, "second_batch second_height second_width second_channels"]
)


class TwoTowers(Block, kw_only=True):
    r"""Two towers: every item of one kind scored against every item of another.

    $$z_{ij} = e^{s} \cos(\mathrm{first}(a_i), \mathrm{second}(b_j)) + c$$

    Attributes:
        first: encoder of one kind, such as texts, with a head that gives one vector of each.
        second: encoder of the other, such as images, whose vectors have the same width.
        use_bias: learn the bias $c$, as SigLIP does.
        scale_init: start of the learned $s$; CLIP's is $\ln(1 / 0.07)$.
        bias_init: start of the bias.
        param_dtype: dtype of both numbers.

    Raises:
        ValueError: a call in which a tower gives no single vector of each item, or vectors of
            another width than the other tower.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Encoder, MLP, Stack, TokenEmbedding
        >>> from blocks.heads import PooledHead
        >>> from blocks.models import TwoTowers
        >>> tower = Encoder(
        ...     embed=TokenEmbedding(vocab_size=65, features=16),
        ...     stack=Stack(block=MLP(hidden=32), depth=1),
        ...     head=PooledHead(features=8),
        ... )
        >>> model = TwoTowers(first=tower, second=tower)
        >>> questions, answers = jnp.zeros((2, 6), jnp.int32), jnp.zeros((3, 9), jnp.int32)
        >>> jax.jit(model.init_with_output)(jax.random.key(0), questions, answers)[0].shape
        (2, 3)

        ```

    References:
        Radford et al., CLIP, 2021, arXiv:2103.00020.
        Zhai et al., Sigmoid Loss for Language Image Pre-Training, 2023, arXiv:2303.15343.
    """

    first: Embedding
    second: Embedding
    use_bias: bool = False
    scale_init: float = 2.6592
    bias_init: float = 0.0
    param_dtype: Dtype = jnp.float32

    @nn.compact
    @typed
    def __call__(
        self,
        first: First,
        second: Second,
        context: Context | None = None,
        deterministic: bool = True,
        second_context: Context | None = None,
    ) -> Float[Array, "first_batch second_batch"]:
        """Compute the score of every pair.

        `context` is that of the first tower's call, `second_context` that of the second's.
        """
        a = self.first(first, context, deterministic)
        b = self.second(second, second_context, deterministic)
        if a.ndim != 2 or b.ndim != 2 or a.shape[-1] != b.shape[-1]:
            raise ValueError(
                f"the towers give {a.shape} and {b.shape}, where each gives one vector of an item, "
                "both of one width; give both a head=PooledHead(features=...)."
            )
        scale = self.param("scale", nn.initializers.constant(self.scale_init), (), self.param_dtype)
        cosine = unit(a).astype(jnp.float32) @ unit(b).astype(jnp.float32).T
        scores = jnp.exp(scale.astype(jnp.float32)) * cosine
        if not self.use_bias:
            return scores
        bias = self.param("bias", nn.initializers.constant(self.bias_init), (), self.param_dtype)
        return scores + bias.astype(jnp.float32)
