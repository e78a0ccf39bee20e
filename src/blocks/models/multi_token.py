"""`MultiTokenLM`: a language model that predicts several next tokens."""

from typing import Annotated

import flax.linen as nn
import jax.numpy as jnp

from blocks.context import Context, locate
from blocks.core.block import Block, fresh
from blocks.core.bounds import at_least
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.slots import Mixer, Norm, Template
from blocks.core.typing import Array, Bool, Dtype, Float, Initializer, Int, typed
from blocks.linear import Linear
from blocks.models.causal_lm import refuse_foresight
from blocks.models.parts import LanguageModel
from blocks.models.reading import read_by, refuse_unread
from blocks.norms.rms_norm import RMSNorm


class TokenAhead(Block, kw_only=True):
    """One prediction step: adds the embedding of the next token to the vectors of the step before.

    Attributes:
        block: the layer.
        norm: template of the norms.
        dtype: dtype of the projection; None infers it.
        param_dtype: dtype of its parameters.
        kernel_init: initialiser of its weights.
    """

    block: Mixer
    norm: Template[Norm]
    dtype: Dtype | None
    param_dtype: Dtype
    kernel_init: Initializer

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        token: Float[Array, "batch seq embed"],
        context: Context,
        deterministic: bool,
    ) -> tuple[Float[Array, "batch seq embed"], Float[Array, "batch seq embed"]]:
        """Compute the vectors for the next step, and their norm for the head."""
        pair = [fresh(self.norm, name="hidden_norm")(x), fresh(self.norm, name="token_norm")(token)]
        projection = Linear(
            features=(x.shape[-1],),
            use_bias=False,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            name="projection",
        )
        h = projection(jnp.concatenate(pair, axis=-1)).astype(x.dtype)
        h = self.block(h, context.replace(x0=h), deterministic)
        return h, fresh(self.norm, name="last_norm")(h)


class MultiTokenLM(Block, kw_only=True):
    r"""Multi-token prediction: `model` predicts the next token, one layer more each token after it.

    $$h^k_i = \mathrm{block}_k(W_k\,[\mathrm{norm}(h^{k-1}_i);\,
    \mathrm{norm}(\mathrm{embed}(\mathrm{token}_{i+k}))]), \qquad
    p(\mathrm{token}_{i+k+1} \mid \mathrm{token}_{\le i+k}) =
    \mathrm{softmax}(\mathrm{head}(\mathrm{norm}(h^k_i)))$$

    $h^0$ is the input of the model's head; embedding and head are the model's. The logits at
    position $i$ and step $k$ are those of token $i + k + 1$, and step 0 is the model alone. Where
    token $i + k$ is past the end of a sequence or document, logits are zero: there is no target
    either.

    More targets per position make training denser. To decode, use `model` with `params["model"]`.

    Attributes:
        model: the language model.
        block: the layer of a step, copied for each.
        depth: number of steps beyond the model's own.
        norm: template of the three norms of a step.
        dtype: dtype of the projections $W_k$; None infers it.
        param_dtype: dtype of their parameters.
        kernel_init: initialiser of their weights.

    Raises:
        ValueError: a depth below 1, a block that is not causal, or a call with a cache.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import (Causal, CausalLM, LMHead, MLP, MultiHeadAttention, MultiTokenLM,
        ...                     RMSNorm, Stack, TokenEmbedding, TransformerBlock)
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> layer = TransformerBlock(attention=attention, mlp=MLP(hidden=32), norm=RMSNorm())
        >>> model = CausalLM(
        ...     embed=TokenEmbedding(vocab_size=65, features=8),
        ...     stack=Stack(block=layer, depth=2),
        ...     norm=RMSNorm(),
        ...     head=LMHead(tied=True),
        ... )
        >>> several = MultiTokenLM(model=model, block=layer, depth=1)
        >>> tokens = jnp.zeros((1, 6), jnp.int32)
        >>> jax.jit(several.init_with_output)(jax.random.key(0), tokens)[0].shape
        (1, 6, 2, 65)

        ```

    References:
        DeepSeek-AI, DeepSeek-V3 Technical Report, 2024, arXiv:2412.19437, section 2.2.
    """

    model: LanguageModel
    block: Template[Mixer]
    depth: Annotated[int, at_least(1, "; without, use the model alone")] = 1
    norm: Template[Norm] = RMSNorm()
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL

    def check_fields(self) -> None:
        """Validate that the model has logits, and that layers are causal."""
        if not hasattr(self.model, "logits"):
            raise TypeError(
                f"model={self.model!r} has no method `logits`, as a language model has; give a "
                "CausalLM."
            )
        refuse_foresight(self.block, "block", "a MultiTokenLM")

    @nn.compact
    @typed
    def __call__(
        self,
        tokens: Int[Array, "batch seq"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq ahead vocab"]:
        """Compute the logits of the `1 + depth` tokens after each token."""
        context = Context() if context is None else context
        if context.cache_size is not None:
            raise ValueError(
                f"cache_size={context.cache_size}: a MultiTokenLM reads whole sequences and keeps "
                'no cache; decode with its `model` and the parameters under "model".'
            )
        refuse_unread(self, context)
        # The steps ahead have tokens and a first embedding of their own.
        refuse_unread(self.model, Context(x0=context.x0, tokens=context.tokens))
        of_model = read_by(self.model, context)
        x = self.model.hidden(tokens, of_model, deterministic)
        embedded = self.model.embedded(tokens, of_model, deterministic)
        logits = [self.model.logits(x, of_model, deterministic)]
        known = jnp.ones(tokens.shape, bool)
        places = locate(context, *tokens.shape).positions
        for step in range(1, self.depth + 1):
            known = known & _known(context, tokens.shape[1], step)
            # Without padding and documents no token attends to the unknown positions at the end.
            own = context
            if context.valid is not None or context.segment_ids is not None:
                own = context.replace(valid=jnp.broadcast_to(known, tokens.shape), positions=places)
            ahead = TokenAhead(
                block=fresh(self.block),
                norm=self.norm,
                dtype=self.dtype,
                param_dtype=self.param_dtype,
                kernel_init=self.kernel_init,
                name=f"ahead_{step}",
            )
            own = own.replace(tokens=jnp.roll(tokens, -step, axis=1))
            x, normalised = ahead(x, jnp.roll(embedded, -step, axis=1), own, deterministic)
            more = self.model.logits(normalised, context, deterministic)
            logits.append(jnp.where(known[..., None], more, 0.0))
        return jnp.stack(logits, axis=2)


@typed
def _known(context: Context, seq: int, step: int) -> Bool[Array, "#batch seq"]:
    """Return where the token `step` positions later is a real one of the same document."""
    known = jnp.arange(seq)[None] + step < seq
    if context.valid is not None:
        known = known & context.valid & jnp.roll(context.valid, -step, axis=1)
    if context.segment_ids is not None:
        known = known & (context.segment_ids == jnp.roll(context.segment_ids, -step, axis=1))
    return known
