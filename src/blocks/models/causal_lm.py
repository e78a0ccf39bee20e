"""CausalLM: a language model, which gives the distribution of each next token."""

import flax.linen as nn

from blocks.attention.caches.variable import count_tokens
from blocks.context import Context
from blocks.core.block import Block
from blocks.core.surgery import find
from blocks.core.typing import Array, Float, Int, typed
from blocks.embeddings.tokens import TokenEmbedding
from blocks.heads.language import LMHead


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
        context = count_tokens(self, Context() if context is None else context, *tokens.shape)
        x = self.embed(tokens, context, deterministic)
        x = self.stack(x, context.replace(x0=x, tokens=tokens), deterministic)
        return x if self.norm is None else self.norm(x)

    @typed
    def logits(self, x: Float[Array, "batch seq embed"]) -> Float[Array, "batch seq vocab"]:
        """Gives the scores of all tokens, from what `hidden` gives."""
        return self.head(x, self.embed.table() if self.head.tied else None)
