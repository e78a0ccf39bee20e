"""CausalLM: a language model, which gives the distribution of each next token."""

import flax.linen as nn

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.surgery import find
from blocks.core.typing import Array, Float, Int, typed
from blocks.models.parts import Model


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


class CausalLM(Model, kw_only=True):
    r"""A language model: the distribution of each token given the ones before it.

    $$p(\mathrm{token}_{t+1} \mid \mathrm{token}_{\le t}) =
    \mathrm{softmax}(\mathrm{head}(\mathrm{norm}(\mathrm{stack}(\mathrm{embed}(\mathrm{token})))))$$

    Attributes:
        embed: from token ids, or vectors of one's own, to vectors; None where vectors come in.
        stack: the layers; none of them may see ahead.
        norm: the last norm; None where the layout leaves normalised sums, as `PostNorm`.
        head: from vectors to logits.

    Raises:
        ValueError: a layer that can see ahead, which the message names, or no head.

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

    def check_fields(self) -> None:
        """Refuses layers that can see ahead, and a model without a head."""
        refuse_foresight(self.stack, "stack", "a CausalLM")
        if self.head is None:
            raise ValueError(
                "head=None scores no tokens; give one, as LMHead(tied=True), or use an Encoder."
            )

    @typed
    def __call__(
        self,
        tokens: Int[Array, "batch seq"] | Float[Array, "batch seq in_embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq vocab"]:
        """Gives the logits of the token after each token."""
        x = self.hidden(tokens, context, deterministic)
        return self.logits(x, context, deterministic)
