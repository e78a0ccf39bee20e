"""`EncoderDecoder`: a language model conditioned on a source sequence."""

import jax.numpy as jnp

from blocks.attention.cross import CrossAttention
from blocks.context import Context
from blocks.core.block import Block
from blocks.core.slots import Embedding
from blocks.core.surgery import find
from blocks.core.typing import Array, Float, Int, typed
from blocks.embeddings.vectors import VectorEmbedding
from blocks.models.encoder import Inputs
from blocks.models.parts import LanguageModel, Model
from blocks.models.reading import read_by, refuse_unread


class EncoderDecoder(Block, kw_only=True):
    r"""Encoder-decoder: a language model conditioned on a source sequence, as for translation.

    $$p(\mathrm{token}_{t+1} \mid \mathrm{token}_{\le t}, \mathrm{source})$$

    The layers of the decoder contain a `CrossAttention`, which reads the encoder's output. An
    encoder with `embed=None` shares the decoder's embedding, as in T5; with a `VectorEmbedding` it
    shares the table alone, and has positions and a norm of its own, as in BART.

    Attributes:
        encoder: encoder of the source.
        decoder: language model of the target tokens.

    Raises:
        ValueError: a decoder without cross-attention, or a call without a source where none was
            cached, with what no part reads, or with a source and its memory.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import (Causal, CausalLM, CrossAttention, Encoder, EncoderDecoder, LMHead,
        ...                     MLP, MultiHeadAttention, Stack, TokenEmbedding, TransformerBlock)
        >>> attend, mlp = MultiHeadAttention(num_heads=4), MLP(hidden=64)
        >>> layer = TransformerBlock(
        ...     attention=MultiHeadAttention(num_heads=4, mask=Causal()),
        ...     cross_attention=CrossAttention(num_heads=4),
        ...     mlp=mlp,
        ... )
        >>> model = EncoderDecoder(
        ...     encoder=Encoder(
        ...         embed=None,
        ...         stack=Stack(block=TransformerBlock(attention=attend, mlp=mlp), depth=2),
        ...     ),
        ...     decoder=CausalLM(
        ...         embed=TokenEmbedding(vocab_size=65, features=16),
        ...         stack=Stack(block=layer, depth=2),
        ...         norm=None,
        ...         head=LMHead(tied=True),
        ...     ),
        ... )
        >>> tokens, source = jnp.zeros((1, 3), jnp.int32), jnp.zeros((1, 7), jnp.int32)
        >>> jax.jit(model.init_with_output)(jax.random.key(0), tokens, source)[0].shape
        (1, 3, 65)

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762.
        Raffel et al., T5, 2019, arXiv:1910.10683.
    """

    encoder: Embedding
    decoder: LanguageModel

    def check_fields(self) -> None:
        """Validate that the decoder has cross-attention, to read the source."""
        if not find(self.decoder, CrossAttention):
            raise ValueError(
                "no layer of decoder.stack reads the source; give its blocks a "
                "cross_attention=CrossAttention(...)."
            )

    @typed
    def __call__(
        self,
        tokens: Int[Array, "batch seq"],
        source: Inputs | None = None,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq vocab"]:
        """Compute the logits of the token after each token.

        `context.memory_valid` marks the real tokens of the source, `context.memory_segment_ids`
        their documents, which encoder and decoder keep apart. With a cache, the source is passed to
        the first call and omitted in later ones; `encode` computes the memory alone.
        """
        context = Context() if context is None else context
        refuse_unread(self, context)
        if source is not None and context.memory is not None:
            raise ValueError(
                "a source and memory are both given, and the encoder makes the memory of the "
                "source; leave one of the two out."
            )
        if source is not None:
            context = context.replace(memory=self.encode(source, context, deterministic))
        # Both sides are given these, and one of them may have no use for them.
        shared = read_by(self.decoder, context)
        context = context.replace(condition=shared.condition, extras=shared.extras)
        return self.decoder(tokens, context, deterministic)

    def encode(
        self,
        source: Inputs,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch memory_seq memory_embed"]:
        """Compute the memory: the encoder's output for the source."""
        context = Context() if context is None else context
        shared = Context(
            valid=context.memory_valid,
            segment_ids=context.memory_segment_ids,
            condition=context.condition,
            extras=context.extras,
        )
        refuse_unread(self, shared)
        embeds = [model.embed for model in find(self.encoder, Model).values()]
        if jnp.issubdtype(source.dtype, jnp.integer):
            if None in embeds:
                source = self.decoder.embedded(source, shared, deterministic)
            elif any(isinstance(embed, VectorEmbedding) for embed in embeds):
                source = self.decoder.vectors(source)
        return self.encoder(source, read_by(self.encoder, shared), deterministic)
