"""`HyperConnections`: several residual streams, mixed by learned, input-dependent weights."""

from collections.abc import Callable, Mapping
from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import at_least
from blocks.core.initializers import Constant
from blocks.core.typing import Array, Dtype, Float, Initializer, Key, typed
from blocks.residual.layout import NamedNorm, Sublayer
from blocks.residual.stream_layout import StreamResidual, fold


def one_stream(key: Key[Array, ""], shape: tuple[int], dtype: Dtype = jnp.float32) -> Array:
    """Draw weight one for a random stream, and zero for the others."""
    return jax.nn.one_hot(jax.random.randint(key, (), 0, shape[0]), shape[0], dtype=dtype)


class StreamWeights(Block, kw_only=True):
    """Weights by which a sublayer reads, mixes and writes the streams, for each token.

    Attributes:
        num_streams: number of streams.
        param_dtype: dtype of the parameters; weights are computed in float32.
        read_init: initialiser of the weights by which the sublayer reads.
    """

    num_streams: int
    param_dtype: Dtype
    read_init: Initializer

    @nn.compact
    @typed
    def __call__(
        self, normalised: Float[Array, "batch seq {self.num_streams} embed"]
    ) -> tuple[
        Float[Array, "batch seq {self.num_streams} {self.num_streams}+1"],
        Float[Array, "batch seq {self.num_streams}"],
    ]:
        """Weights from each stream to the sublayer and every stream, and from the sublayer."""
        n, embed = self.num_streams, normalised.shape[-1]
        zeros, small = nn.initializers.zeros, Constant(0.01)

        def mixed(key: Key[Array, ""]) -> Array:
            read = self.read_init(key, (n,), self.param_dtype)
            return jnp.concatenate([read[:, None], jnp.eye(n, dtype=self.param_dtype)], axis=-1)

        def weights(name: str, static: Array, outputs: int) -> Array:
            kernel = self.param(f"{name}_kernel", zeros, (embed, outputs), self.param_dtype)
            scale = self.param(f"{name}_scale", small, (), self.param_dtype)
            seen = jnp.einsum(
                "bsne,eo->bsno",
                normalised,
                kernel.astype(normalised.dtype),
                preferred_element_type=jnp.float32,
            )
            return static.astype(jnp.float32)[None, None] + scale * jnp.tanh(seen)

        alpha = weights("alpha", self.param("alpha", mixed), n + 1)
        ones = self.param("beta", nn.initializers.ones, (n,), self.param_dtype)
        return alpha, weights("beta", ones[:, None], 1)[..., 0]


class HyperConnections(StreamResidual, kw_only=True):
    r"""Hyper-connections: several streams $H$, read, mixed and written by learned weights.

    $$H \leftarrow A_r^\top H + B^\top f(\mathrm{norm}(A_m^\top H)), \qquad
    [A_m\ A_r] = [\bar A_m\ \bar A_r] + s_\alpha \tanh(\mathrm{norm}(H)\, W_\alpha), \quad
    B = \bar B + s_\beta \tanh(\mathrm{norm}(H)\, W_\beta)$$

    Weights with a bar are static, the others depend on the token. At initialisation the layout
    equals `PreNorm` in every stream: $\bar A_r = I$, $\bar B = 1$, $W = 0$, and $\bar A_m$ reads
    one stream. In the paper sublayer $k$ reads stream $k \bmod n$; here the stream is drawn at
    random, as a layer does not know its index.

    `Streams` repeats the input of the first layer, and sums the streams after the last.

    Attributes:
        num_streams: number $n$ of streams; 4 in most of the paper.
        param_dtype: dtype of the weights.
        read_init: initialiser of $\bar A_m$.

    Raises:
        ValueError: fewer than two streams, or a call outside `Streams`.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP, MultiHeadAttention, Stack
        >>> from blocks.residual import HyperConnections, Streams
        >>> from blocks import TransformerBlock
        >>> attention, mlp = MultiHeadAttention(num_heads=2), MLP(hidden=8)
        >>> residual = HyperConnections(num_streams=4)
        >>> layer = TransformerBlock(attention=attention, mlp=mlp, residual=residual)
        >>> layers = Streams(stack=Stack(block=layer, depth=2))
        >>> x = jnp.ones((1, 3, 8))
        >>> jax.jit(layers.init_with_output)(jax.random.key(0), x)[0].shape
        (1, 3, 8)

        ```

    References:
        Zhu et al., Hyper-Connections, 2024, arXiv:2409.19606.
    """

    num_streams: Annotated[int, at_least(2, "; PreNorm carries one")]
    param_dtype: Dtype = jnp.float32
    read_init: Initializer = one_stream

    @property
    def streams(self) -> int:
        """The number of streams."""
        return self.num_streams

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq width"],
        sublayers: Mapping[str, Sublayer],
        norm: NamedNorm,
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq width"]:
        """Run every sublayer on its mix of the streams, and write its result into all."""
        streams = self._unfold(x, context)
        for name, sublayer in sublayers.items():
            alpha, beta = StreamWeights(
                num_streams=self.num_streams,
                param_dtype=self.param_dtype,
                read_init=self.read_init,
                name=name,
            )(norm(f"{name}_streams_norm")(streams))
            mixed = jnp.einsum("bsni,bsne->bsie", alpha.astype(x.dtype), streams)
            y = sublayer(norm(f"{name}_norm")(mixed[:, :, 0]))
            streams = mixed[:, :, 1:] + beta.astype(x.dtype)[..., None] * y[:, :, None]
        return fold(streams)

    def reduce(
        self, streams: Float[Array, "batch seq streams embed"], norm: Callable[[Array], Array]
    ) -> Float[Array, "batch seq embed"]:
        """Sum the streams."""
        return streams.sum(axis=2)
