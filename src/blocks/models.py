"""Models: thin containers of the blocks."""

from typing import TypeAlias

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.cross import CrossAttention
from blocks.base import Block
from blocks.context import Context, locate
from blocks.embeddings.tokens import TokenEmbedding
from blocks.heads.language import LMHead
from blocks.surgery import find
from blocks.typing import Array, Float, Int, typed

# Token ids, vectors, or images.
Inputs: TypeAlias = (
    Int[Array, "batch in_seq"]
    | Float[Array, "batch in_seq in_embed"]
    | Float[Array, "batch height width channels"]
)


def refuse_foresight(part: nn.Module, name: str, owner: str) -> None:
    """Refuses a part of a causal model in which a layer can see ahead.

    Raises:
        ValueError: names the layer.
    """
    for path, layer in find(part, Block).items():
        if layer.sees_ahead:
            raise ValueError(
                f"{name}{'.' if path else ''}{path} can see ahead "
                f"(mask={getattr(layer, 'mask', None)}), which {owner} must not; "
                "use mask=Causal(), or `Causal() & ...`."
            )


class Encoder(Block, kw_only=True):
    r"""Vectors for a sequence, each of which knows all of it.

    $$h = \mathrm{norm}(\mathrm{stack}(\mathrm{embed}(\mathrm{input})))$$

    Attributes:
        embed: from the input to vectors; None where the input is vectors already.
        stack: the layers; they may see ahead.
        norm: the last norm; None where the layout leaves normalised sums, as `PostNorm`.

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

    embed: nn.Module | None
    stack: nn.Module
    norm: nn.Module | None = None

    @nn.compact
    @typed
    def __call__(
        self,
        inputs: Inputs,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch out_seq embed"]:
        """Gives a vector for each token of `inputs`."""
        x = inputs if self.embed is None else self.embed(inputs, context, deterministic)
        tokens = inputs if jnp.issubdtype(inputs.dtype, jnp.integer) else None
        context = (Context() if context is None else context).replace(first=x, tokens=tokens)
        x = self.stack(x, context, deterministic)
        return x if self.norm is None else self.norm(x)


class CausalLM(Block, kw_only=True):
    r"""A language model: the distribution of each token given the ones before it.

    $$p(\mathrm{token}_{t+1} \mid \mathrm{token}_{\le t}) =
    \mathrm{softmax}(\mathrm{head}(\mathrm{norm}(\mathrm{stack}(\mathrm{embed}(\mathrm{token})))))$$

    Attributes:
        embed: from token ids to vectors.
        stack: the layers; none of them may see ahead.
        norm: the last norm; None where the layout leaves normalised sums, as `PostNorm`.
        head: from vectors to logits.

    Raises:
        ValueError: a layer that can see ahead; the message names it.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import (Causal, CausalLM, LMHead, LayerNorm, MLP, MultiHeadAttention, RoPE,
        ...                     Stack, TokenEmbedding, TransformerBlock)
        >>> model = CausalLM(
        ...     embed=TokenEmbedding(vocab_size=65, features=32),
        ...     stack=Stack(
        ...         block=TransformerBlock(
        ...             attention=MultiHeadAttention(num_heads=4, position=RoPE(), mask=Causal()),
        ...             mlp=MLP(hidden=128),
        ...         ),
        ...         depth=2,
        ...     ),
        ...     norm=LayerNorm(),
        ...     head=LMHead(tied=True),
        ... )
        >>> tokens = jnp.zeros((1, 16), jnp.int32)
        >>> model.apply(model.init(jax.random.key(0), tokens), tokens).shape
        (1, 16, 65)

        ```

    References:
        Radford et al., Improving Language Understanding by Generative Pre-Training, 2018.
    """

    embed: TokenEmbedding
    stack: nn.Module
    norm: nn.Module | None
    head: LMHead

    def check_fields(self) -> None:
        """Refuses layers that can see ahead."""
        refuse_foresight(self.stack, "stack", "a CausalLM")

    @typed
    def __call__(
        self,
        tokens: Int[Array, "batch seq"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq vocab"]:
        """Gives the logits of the token after each token."""
        return self.logits(self.hidden(tokens, context, deterministic))

    @nn.compact
    @typed
    def hidden(
        self,
        tokens: Int[Array, "batch seq"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Gives what the head reads: the vector of each token after the last norm."""
        batch, seq = tokens.shape
        context = Context() if context is None else context
        if context.cache_size is not None:
            seen = self.variable("cache", "seen", jnp.zeros, (batch,), jnp.int32)
            context = context.replace(
                positions=locate(context, batch, seq, 0, seen.value).positions
            )
            new = seq if context.valid is None else context.valid.sum(axis=-1, dtype=jnp.int32)
            seen.value = seen.value + new
        x = self.embed(tokens, context, deterministic)
        x = self.stack(x, context.replace(first=x, tokens=tokens), deterministic)
        return x if self.norm is None else self.norm(x)

    @typed
    def logits(self, x: Float[Array, "batch seq embed"]) -> Float[Array, "batch seq vocab"]:
        """Gives the scores of all tokens, from what `hidden` gives."""
        return self.head(x, self.embed.table() if self.head.tied else None)


class EncoderDecoder(Block, kw_only=True):
    r"""A language model that also reads another sequence, as for translation.

    $$p(\mathrm{token}_{t+1} \mid \mathrm{token}_{\le t}, \mathrm{source})$$

    The layers of the decoder hold a `CrossAttention`, which reads what the encoder makes of the
    source. An encoder with `embed=None` shares the decoder's embedding, as T5's does.

    Attributes:
        encoder: of the source.
        decoder: of the tokens.

    Raises:
        ValueError: a decoder without cross-attention, or a call without a source where none was
            cached.

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
        >>> model.apply(model.init(jax.random.key(0), tokens, source), tokens, source).shape
        (1, 3, 65)

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762.
        Raffel et al., T5, 2019, arXiv:1910.10683.
    """

    encoder: Encoder
    decoder: CausalLM

    def check_fields(self) -> None:
        """Refuses a decoder that would not read the source."""
        if not find(self.decoder.stack, CrossAttention):
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
        """Gives the logits of the token after each token.

        `context.memory_valid` marks the real tokens of the source. With a cache the source is read
        at the first call and left out of later ones; `encode` gives what it is read as.
        """
        context = Context() if context is None else context
        if source is not None:
            context = context.replace(memory=self.encode(source, context, deterministic))
        return self.decoder(tokens, context, deterministic)

    def encode(
        self,
        source: Inputs,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch memory_seq memory_embed"]:
        """Gives the memory: what the encoder makes of the source."""
        shared = Context(valid=None if context is None else context.memory_valid)
        if self.encoder.embed is None and jnp.issubdtype(source.dtype, jnp.integer):
            source = self.decoder.embed(source, shared, deterministic)
        return self.encoder(source, shared, deterministic)
