"""Poolers: one vector for a whole sequence."""

from collections.abc import Callable
from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.kernels.reference import masked_softmax
from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import at_least
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import Norm
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.linear import Linear


class Pooler(Block, kw_only=True):
    """Base class for poolers: one vector from all tokens of a sequence, without padding."""

    def __call__(
        self, x: Float[Array, "batch seq embed"], context: Context | None = None
    ) -> Float[Array, "batch embed"]:
        """Pool each sequence into one vector."""
        raise TypeError(f"{type(self).__name__} pools nothing: give it a `__call__`.")


class FirstToken(Pooler, kw_only=True):
    """First-token pooling: the first real token, as the class token of BERT and ViTs.

    References:
        Devlin et al., BERT, 2018, arXiv:1810.04805.
    """

    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], context: Context | None = None
    ) -> Float[Array, "batch embed"]:
        """Take the first token of each row that is not padding."""
        if context is None or (context.valid is None and context.segment_ids is None):
            return x[:, 0]
        first = jnp.argmax(valid_tokens(x, context), axis=1)
        return jnp.take_along_axis(x, first[:, None, None], axis=1)[:, 0]


class LastToken(Pooler, kw_only=True):
    """Last-token pooling: the last real token, the only one with full context in a causal model.

    References:
        Radford et al., Improving Language Understanding by Generative Pre-Training, 2018.
    """

    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], context: Context | None = None
    ) -> Float[Array, "batch embed"]:
        """Take the last token of each row that is not padding."""
        valid = valid_tokens(x, context)
        last = jnp.where(valid, jnp.arange(x.shape[1])[None], 0).max(axis=1)
        return jnp.take_along_axis(x, last[:, None, None], axis=1)[:, 0]


class MeanPool(Pooler, kw_only=True):
    """Mean pooling: the mean of all real tokens; zeros where there is none.

    Attributes:
        skip: number of first tokens left out, such as the class token of an image.

    Raises:
        ValueError: a negative number of tokens to leave out.

    References:
        Reimers and Gurevych, Sentence-BERT, 2019, arXiv:1908.10084.
        Bao et al., BEiT, 2021, arXiv:2106.08254 (the mean of patches alone).
    """

    skip: Annotated[int, at_least(0)] = 0

    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], context: Context | None = None
    ) -> Float[Array, "batch embed"]:
        """Average in float32."""
        valid = valid_tokens(x, context)
        if self.skip:
            valid = valid & (jnp.cumsum(valid, axis=1) > self.skip)
        total = jnp.where(valid[..., None], x.astype(jnp.float32), 0.0).sum(axis=1)
        return (total / jnp.maximum(valid.sum(axis=1), 1)[:, None]).astype(x.dtype)


class AttentionPool(Pooler, kw_only=True):
    r"""Attention pooling: a mean weighted by one learned query, $\mathrm{softmax}(q x^\top) x$.

    Attributes:
        param_dtype: dtype of the query.
        query_init: initialiser of the query, drawn as a matrix of width x 1.

    References:
        Yang et al., Hierarchical Attention Networks, 2016, section 2.2.
    """

    param_dtype: Dtype = jnp.float32
    query_init: Initializer = LECUN_NORMAL

    @nn.compact
    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], context: Context | None = None
    ) -> Float[Array, "batch embed"]:
        """Weigh and average in float32."""
        query = self.param("query", self.query_init, (x.shape[-1], 1), self.param_dtype)
        scores = jnp.einsum("bse,eo->bos", x.astype(jnp.float32), query.astype(jnp.float32))
        weights = masked_softmax(scores, valid_tokens(x, context)[:, None])
        return jnp.einsum("bos,bse->be", weights.astype(x.dtype), x)


class MarkedToken(Pooler, kw_only=True):
    """Pooling by a mark: the first token of a given id, as CLIP's end of text.

    Attributes:
        token_id: the id; None takes the highest id of each row, as CLIP's first files have it.

    Raises:
        ValueError: a call whose context has no `tokens`, which an `Encoder` puts there. A row
            without the id gives its first token.

    References:
        Radford et al., CLIP, 2021, arXiv:2103.00020, section 2.4.
    """

    reads = frozenset({"tokens"})

    token_id: int | None = None

    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], context: Context | None = None
    ) -> Float[Array, "batch embed"]:
        """Take the vector at the first token of the id."""
        if context is None or context.tokens is None:
            raise ValueError(
                "MarkedToken looks for its token among the ids, and the context has no tokens; "
                "call the Encoder that it stands in with token ids."
            )
        valid, tokens = valid_tokens(x, context), context.tokens
        if self.token_id is None:
            place = jnp.where(valid, tokens, -1).argmax(axis=1)
        else:
            place = ((tokens == self.token_id) & valid).argmax(axis=1)
        return jnp.take_along_axis(x, place[:, None, None], axis=1)[:, 0]


class DensePool(Pooler, kw_only=True):
    r"""Pooling with a hidden layer, $y = \mathrm{norm}(\phi(\mathrm{pool}(x) W + b))$: BERT's.

    Attributes:
        pool: pooler whose vector goes into the layer.
        activation: the function $\phi$.
        norm: norm after the activation; None for none.
        use_bias: learn the bias $b$.
        dtype: dtype of the product; None infers it.
        param_dtype: dtype of the parameters of $W$.

    References:
        Devlin et al., BERT, 2018, arXiv:1810.04805.
    """

    pool: Pooler = FirstToken()
    activation: Callable[[Array], Array] = jnp.tanh
    norm: Norm | None = None
    use_bias: bool = True
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32

    @nn.compact
    @typed
    def __call__(
        self, x: Float[Array, "batch seq embed"], context: Context | None = None
    ) -> Float[Array, "batch embed"]:
        """Pool, and apply the layer."""
        h = Linear(
            features=(x.shape[-1],),
            use_bias=self.use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            name="dense",
        )(self.pool(x, context))
        h = self.activation(h)
        return h if self.norm is None else self.norm(h).astype(h.dtype)


def valid_tokens(x: Array, context: Context | None) -> Array:
    """Return which tokens are real.

    Raises:
        ValueError: a call with documents, which one vector per row would mix.
    """
    context = Context() if context is None else context
    context.check(*x.shape[:2])
    if context.segment_ids is not None:
        raise ValueError(
            "segment_ids of the context: one vector of a row would mix its documents; pool rows of "
            "one document each."
        )
    return jnp.ones(x.shape[:2], bool) if context.valid is None else context.valid
