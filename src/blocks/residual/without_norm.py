"""`WithoutNorm`: a layout that leaves out the norms of some sublayers."""

from collections.abc import Callable, Mapping

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.residual.layout import NamedNorm, Residual, Sublayer
from blocks.residual.placement import PreNorm


class WithoutNorm(Residual, kw_only=True):
    r"""No norms around the named sublayers: the identity in their place, in any layout.

    ModernBERT's first layer has no norm before attention, as a norm on the embeddings stands right
    before it: `WithoutNorm(sublayers=("attention",))`.

    Attributes:
        residual: the layout that runs the sublayers.
        sublayers: names of the sublayers whose norms are left out, as a `TransformerBlock` has
            them: `attention`, `cross_attention` or `mlp`.

    Raises:
        ValueError: no name, or a sublayer for which the layout creates no norm.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP, MultiHeadAttention, TransformerBlock
        >>> from blocks.residual import WithoutNorm
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> residual = WithoutNorm(sublayers=("attention",))
        >>> block = TransformerBlock(attention=attention, mlp=mlp, residual=residual)
        >>> sorted(block.init(jax.random.key(0), jnp.ones((1, 3, 8)))["params"])
        ['attention', 'mlp', 'mlp_norm']

        ```

    References:
        Warner et al., Smarter, Better, Faster, Longer, 2024, arXiv:2412.13663 (ModernBERT).
    """

    residual: Residual = PreNorm()
    sublayers: tuple[str, ...]

    def check_fields(self) -> None:
        """Validate that there are names."""
        if not self.sublayers:
            raise ValueError(
                'sublayers=() leaves out no norm; name some, as ("attention",), or use '
                f"{self.residual} itself."
            )

    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Run the layout, with the identity for norms of the named sublayers."""
        owners = {f"{name}{end}": name for name in self.sublayers for end in ("_norm", "_out_norm")}
        left_out: set[str] = set()

        def some(name: str) -> Callable[..., Array]:
            if name not in owners:
                return norm(name)
            left_out.add(owners[name])
            return lambda h: h

        y = self.residual(x, sublayers, some, context, deterministic)
        unknown = [name for name in self.sublayers if name not in left_out]
        if unknown:
            raise ValueError(
                f"sublayers={self.sublayers}: {self.residual} creates no norm of its own for "
                f"{unknown[0]!r} among the sublayers {list(sublayers)}; take the name out."
            )
        return y
