"""Encoder: a vector for each token of a sequence, each of which knows all of it."""

from typing import TypeAlias

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
    r"""Vectors for a sequence, each of which knows all of it, or what a head makes of them.

    $$h = \mathrm{norm}(\mathrm{stack}(\mathrm{embed}(\mathrm{input})))$$

    With `head=MaskedLMHead(...)` it is a masked language model, with `head=ClassifierHead(...)` a
    classifier.

    Attributes:
        embed: from the input to vectors; None where the input is vectors already.
        stack: the layers; they may see ahead.
        norm: the last norm; None where the layout leaves normalised sums, as `PostNorm`.
        head: from vectors to what is asked for; None leaves the vectors.

    Raises:
        ValueError: a call with a cache, where `embed` makes another number of tokens.

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
        >>> encoder.apply(encoder.init(jax.random.key(0), tokens), tokens).shape
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
        """Gives a vector for each token of `inputs`, or what the head makes of them."""
        x = self.hidden(inputs, context, deterministic)
        return self.logits(x, context, deterministic)
