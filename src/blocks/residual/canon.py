"""`Canon`: a layout in whose sublayers each token hears those just before it."""

from collections.abc import Mapping

import flax.linen as nn

from blocks.context import Context
from blocks.core.block import fresh
from blocks.core.errors.words import nearest
from blocks.core.slots import Template
from blocks.core.typing import Array, Float, typed
from blocks.recurrent.convolution import ShortConvolution
from blocks.residual.layout import NamedNorm, Residual, Sublayer
from blocks.residual.placement import PreNorm


class Canon(Residual, kw_only=True):
    r"""Canon layers: the input of each sublayer hears the tokens before, $f(h + \mathrm{conv}(h))$.

    The convolution is short, causal and of each feature alone, with weights of its own before each
    sublayer. They start at 0, so that the layout begins as the one that it holds. Patterns of a few
    tokens then need no attention. In the paper these are Canon-A, before attention, and Canon-C,
    before the MLP.

    Attributes:
        residual: the layout that runs the sublayers.
        convolution: template of the convolutions.
        sublayers: names of the sublayers that hear, as a `TransformerBlock` has them: `attention`,
            `cross_attention` or `mlp`; None for all.

    Raises:
        ValueError: no name, or a name that no sublayer has.

    Example:
        ```python
        >>> from blocks.residual import Canon
        >>> Canon().convolution.width
        4

        ```

    References:
        Allen-Zhu, Physics of Language Models: Part 4.1, 2025, arXiv:2512.17351.
        So et al., Primer, 2021, arXiv:2109.08668 (convolutions of queries, keys and values).
    """

    residual: Residual = PreNorm()
    convolution: Template[ShortConvolution] = ShortConvolution(kernel_init=nn.initializers.zeros)
    sublayers: tuple[str, ...] | None = None

    def check_fields(self) -> None:
        """Validate that there are names."""
        if self.sublayers == ():
            raise ValueError(
                "sublayers=() lets no sublayer hear; leave it out for all of them, or use "
                f"{self.residual} itself."
            )

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Run the layout with sublayers that hear the tokens before."""
        names = tuple(sublayers) if self.sublayers is None else self.sublayers
        if absent := [name for name in names if name not in sublayers]:
            raise ValueError(
                f"sublayers={self.sublayers}: this block has no sublayer {absent[0]!r}; "
                f"{nearest(absent[0], sorted(sublayers))}"
            )

        def hearing(name: str) -> Sublayer:
            convolution = fresh(self.convolution, name=f"{name}_convolution")
            return lambda h: sublayers[name](h + convolution(h, context).astype(h.dtype))

        heard = {name: hearing(name) if name in names else run for name, run in sublayers.items()}
        return self.residual(x, heard, norm, context, deterministic)
