"""`ResiDual`: a post-norm stream that sublayers read, and a sum that gradients flow through."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp

from blocks.context import Context
from blocks.core.typing import Array, Float, typed
from blocks.residual.layout import NamedNorm, Sublayer
from blocks.residual.stream_layout import StreamResidual, fold


class ResiDual(StreamResidual, kw_only=True):
    r"""ResiDual: the stream of `PostNorm`, and a second one that is never normalised.

    $$y = f(x), \qquad x \leftarrow \mathrm{norm}(x + y), \quad d \leftarrow d + y$$

    Both start as the input of the first layer. After the last, `Streams` returns
    $x + \mathrm{norm}(d)$ with its own norm, so that a model needs no final norm.

    Raises:
        ValueError: a call outside `Streams`.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import LayerNorm, MLP, MultiHeadAttention, Stack
        >>> from blocks.residual import ResiDual, Streams
        >>> from blocks import TransformerBlock
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> layer = TransformerBlock(attention=attention, mlp=mlp, residual=ResiDual())
        >>> layers = Streams(stack=Stack(block=layer, depth=2), norm=LayerNorm())
        >>> sorted(layers.init(jax.random.key(0), jnp.ones((1, 3, 8)))["params"])
        ['norm', 'stack']

        ```

    References:
        Xie et al., ResiDual: Transformer with Dual Residual Connections, 2023, arXiv:2304.14802.
    """

    normalizes = True

    @property
    def streams(self) -> int:
        """Two: the stream that sublayers read, and the sum."""
        return 2

    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq width"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq width"]:
        """Run every sublayer on the normalised stream, and add its result to both."""
        streams = self._unfold(x, context)
        read, total = streams[:, :, 0], streams[:, :, 1]
        for name, sublayer in sublayers.items():
            y = sublayer(read)
            read, total = norm(f"{name}_norm")(read + y), total + y
        return fold(jnp.stack([read, total], axis=2))

    def reduce(
        self, streams: Float[Array, "batch seq streams embed"], norm: Callable[[Array], Array]
    ) -> Float[Array, "batch seq embed"]:
        """Add the normalised stream and the norm of the sum."""
        return streams[:, :, 0] + norm(streams[:, :, 1])
