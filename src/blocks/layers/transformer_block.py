"""`TransformerBlock`: attention and an MLP in a residual layout."""

from collections.abc import Callable

import flax.linen as nn
from jax.ad_checkpoint import checkpoint_name

from blocks.carry import AndCarry, join_carry, split_carry
from blocks.context import Context
from blocks.core.block import Block, fresh
from blocks.core.bounds import Rate
from blocks.core.drop import drop
from blocks.core.slots import Mixer, Norm, Template
from blocks.core.typing import Array, Float, typed
from blocks.norms.layer_norm import LayerNorm
from blocks.residual.layout import Residual, Sublayer
from blocks.residual.placement import PreNorm


class TransformerBlock(Block, kw_only=True):
    r"""Transformer block: attention, then an MLP, each with a norm and a residual connection.

    With `PreNorm`: $h = x + \mathrm{attention}(\mathrm{norm}(x))$,
    $y = h + \mathrm{mlp}(\mathrm{norm}(h))$.

    The output of each sublayer is tagged with its field's name, for `jax.checkpoint_policies`:
    `save_only_these_names("attention")` as a `Stack`'s `remat`, say.

    Attributes:
        attention: the block that mixes tokens.
        mlp: the block that transforms each token.
        cross_attention: the block that reads the memory, between the two; None for none.
        norm: template of the norms, copied by the layout as often as it needs one.
        residual: the residual layout, which places norms and additions.
        dropout_rate: dropout probability on the output of each sublayer.

    Raises:
        ValueError: a rate outside [0, 1).

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Causal, MLP, MultiHeadAttention, TransformerBlock
        >>> attention = MultiHeadAttention(num_heads=2, mask=Causal())
        >>> block = TransformerBlock(attention=attention, mlp=MLP(hidden=32))
        >>> variables = block.init(jax.random.key(0), jnp.ones((1, 3, 8)))
        >>> sorted(variables["params"])
        ['attention', 'attention_norm', 'mlp', 'mlp_norm']

        ```

    References:
        Vaswani et al., Attention Is All You Need, 2017, arXiv:1706.03762, section 3.1.
    """

    attention: Mixer
    mlp: Mixer
    cross_attention: Mixer | None = None
    norm: Template[Norm] = LayerNorm()
    residual: Residual = PreNorm()
    dropout_rate: Rate = 0.0

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> AndCarry[Float[Array, "batch seq embed"]]:
        """Run attention and MLP on `x`."""
        after = context

        def sublayer(name: str) -> Sublayer:
            part = getattr(self, name)

            def run(h: Array) -> Array:
                nonlocal after
                y, after = split_carry(part(h, after, deterministic), after)
                # A name for the policies of `jax.checkpoint_policies`; it costs nothing.
                y = drop(self, y.astype(x.dtype), self.dropout_rate, deterministic)
                return checkpoint_name(y, name)

            return run

        def norm(name: str) -> Callable[[Array], Array]:
            made = fresh(self.norm, parent=self, name=name)
            return lambda h: made(h).astype(h.dtype)

        names = ["attention", "cross_attention", "mlp"]
        sublayers = {name: sublayer(name) for name in names if getattr(self, name) is not None}
        # The residual stream keeps its dtype, so that layers can be scanned.
        y = self.residual(x, sublayers, norm, context, deterministic).astype(x.dtype)
        return join_carry(y, after, context)
