"""`Encoder`: contextual vectors for the tokens of a sequence."""

from typing import TypeAlias

import jax.numpy as jnp

from blocks.context import Context
from blocks.core.slots import Head, Norm
from blocks.core.typing import Array, Float, Int, typed
from blocks.models.parts import Model

# Token ids, vectors, or images.
Inputs: TypeAlias = (
    Int[Array, "batch in_seq"]
    | Float[Array, "batch in_seq in_embed"]
    | Float[Array, "batch height width channels"]
)


class Encoder(Model, kw_only=True):
    r"""Encoder: contextual vectors for the tokens of a sequence, or the output of a head on them.

    $$h = \mathrm{norm}(\mathrm{stack}(\mathrm{embed}(\mathrm{input})))$$

    With `head=MaskedLMHead(...)` it is a masked language model, with `head=ClassifierHead(...)` a
    classifier.

    Attributes:
        embed: embedding of the input; None if the inputs are vectors.
        stack: the layers, which need not be causal.
        norm: final norm; None where the layout normalises the sum itself, as `PostNorm` does.
        head: head on the vectors; None returns the vectors.

    Raises:
        ValueError: a call with a cache if `embed` changes the number of tokens.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Encoder, MLP, MultiHeadAttention, Stack, TokenEmbedding
        >>> from blocks import TransformerBlock
        >>> attention = MultiHeadAttention(num_heads=4)
        >>> layer = TransformerBlock(attention=attention, mlp=MLP(hidden=64))
        >>> encoder = Encoder(
        ...     embed=TokenEmbedding(vocab_size=65, features=16), stack=Stack(block=layer, depth=2)
        ... )
        >>> tokens = jnp.zeros((1, 6), jnp.int32)
        >>> jax.jit(encoder.init_with_output)(jax.random.key(0), tokens)[0].shape
        (1, 6, 16)

        ```

    References:
        Devlin et al., BERT, 2018, arXiv:1810.04805.
    """

    norm: Norm | None = None
    head: Head | None = None

    @typed
    def __call__(
        self,
        inputs: Inputs,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch ..."]:
        """Compute a vector for each token of `inputs`, or the output of the head."""
        x = self.hidden(inputs, context, deterministic)
        if jnp.issubdtype(inputs.dtype, jnp.integer):  # a pooler may look for a token
            context = (context or Context()).replace(tokens=inputs)
        return self.logits(x, context, deterministic)
