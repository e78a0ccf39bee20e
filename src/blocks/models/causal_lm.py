"""`CausalLM`: a causal language model."""

import flax.linen as nn

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.surgery import find
from blocks.core.typing import Array, Float, Int, typed
from blocks.models.parts import Model


def refuse_foresight(part: nn.Module, name: str, owner: str) -> None:
    """Validate that every layer in a part of a causal model is causal.

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
    r"""Causal language model: the distribution of each token given the tokens before it.

    $$p(\mathrm{token}_{t+1} \mid \mathrm{token}_{\le t}) =
    \mathrm{softmax}(\mathrm{head}(\mathrm{norm}(\mathrm{stack}(\mathrm{embed}(\mathrm{token})))))$$

    Attributes:
        embed: embedding of token ids, or of custom inputs; None if the inputs are vectors.
        stack: the layers, all of them causal.
        norm: final norm; None where the layout normalises the sum itself, as `PostNorm` does.
        head: head that computes the logits.

    Raises:
        ValueError: a layer that is not causal, which the message names, or no head.

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
        >>> jax.jit(model.init_with_output)(jax.random.key(0), tokens)[0].shape
        (1, 16, 65)

        ```

    References:
        Radford et al., Improving Language Understanding by Generative Pre-Training, 2018.
    """

    def check_fields(self) -> None:
        """Validate that layers are causal and that there is a head."""
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
        """Compute the logits of the token after each token."""
        x = self.hidden(tokens, context, deterministic)
        return self.logits(x, context, deterministic)
