"""`RecurrentMixer`: the base of linear attention and the gated delta rule.

Every call projects, transforms queries and keys, reads and writes the state, and projects back.
"""

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.attention import transform_qk
from blocks.attention.inputs import AttentionInputs
from blocks.attention.qk import QKTransform
from blocks.context import Context
from blocks.core.block import Block
from blocks.core.bounds import Size
from blocks.core.errors.words import divisors
from blocks.core.initializers import LECUN_NORMAL
from blocks.core.typing import Array, Dtype, Float, Initializer, Int, typed
from blocks.linear import Linear
from blocks.recurrent.chunking import document_runs
from blocks.recurrent.state import recall, remember


class RecurrentInputs(AttentionInputs):
    """Documents of a call, and the state of the tokens before it.

    Attributes:
        runs: number of each token's document, 0 for the one that `state` holds.
        state: state after the tokens before; None where there are none.
    """

    runs: Int[Array, "batch seq"]
    state: Float[Array, "batch *state"] | None


class RecurrentMixer(Block, kw_only=True):
    """Base class for mixers of tokens with a state of fixed size.

    A subclass defines `project`, which returns queries, keys and values, and `mix`, which reads and
    writes the state. Documents, padding and the cache are handled here.

    Attributes:
        num_heads: number of query heads.
        head_dim: features of a head; None takes `embed / num_heads`.
        qk: transforms of queries and keys, in order, such as `(QKNorm(),)`.
        position: transform of queries and keys by position, such as `RoPE()`; applied after `qk`.
        chunk_size: number of tokens computed at once; affects time and memory, not results.
        dtype: dtype of the projections; None infers it. The state is float32.
        param_dtype: dtype of the parameters.
        kernel_init: initialiser of the projections' weights.
        out_kernel_init: initialiser of the output projection's weights; None takes `kernel_init`.

    Raises:
        ValueError: a size below 1, or heads that do not divide.
    """

    num_heads: Size
    head_dim: Size | None = None
    qk: tuple[QKTransform, ...] = ()
    position: QKTransform | None = None
    chunk_size: Size = 64
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    kernel_init: Initializer = LECUN_NORMAL
    out_kernel_init: Initializer | None = None

    def check_shared(self, shared: str) -> None:
        """Validate that a field of `shared` heads divides `num_heads`."""
        heads = getattr(self, shared)
        if heads and self.num_heads % heads:
            raise ValueError(
                f"{shared}={heads} must divide num_heads={self.num_heads}; "
                f"use {divisors(self.num_heads)}."
            )

    def check_cache(self) -> None:
        """Raise `ValueError` if the block cannot continue from earlier calls."""

    @nn.compact
    @typed
    def __call__(
        self,
        x: Float[Array, "batch seq embed"],
        context: Context | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "batch seq embed"]:
        """Mix within `x` and, with a cache, with the tokens of earlier calls."""
        batch, seq, embed = x.shape
        if context is not None and context.cache_size is not None:
            self.check_cache()
        query, key, value = self.project(x, context)
        past, at = recall(self, "recurrent", context, batch, seq)
        runs, segment_ids = document_runs(at, batch, past.segment_ids)
        call = context or Context()
        inputs = RecurrentInputs(x, call, deterministic, at, at, runs=runs, state=past.state)
        query, key = transform_qk(self.qk, self.position, query, key, inputs)
        mixed, state = self.mix(query, key, value, inputs)
        remember(self, "recurrent", context, past.after(at, state, segment_ids))
        return self.linear("out", (embed,), axes=2)(mixed.astype(value.dtype))

    def project(
        self, x: Float[Array, "batch seq embed"], context: Context | None
    ) -> tuple[
        Float[Array, "batch seq heads head_dim"],
        Float[Array, "batch seq kv_heads head_dim"],
        Float[Array, "batch seq kv_heads value_dim"],
    ]:
        """Compute queries, keys and values."""
        raise TypeError(f"{type(self).__name__} projects nothing: give it a method `project`.")

    def mix(
        self,
        query: Float[Array, "batch seq heads head_dim"],
        key: Float[Array, "batch seq kv_heads head_dim"],
        value: Float[Array, "batch seq kv_heads value_dim"],
        inputs: RecurrentInputs,
    ) -> tuple[Float[Array, "batch seq heads value_dim"], Float[Array, "batch *state"] | None]:
        """Compute the heads' outputs, and the state after the last token."""
        raise TypeError(f"{type(self).__name__} mixes nothing: give it a method `mix`.")

    def linear(
        self, name: str, features: tuple[int, ...], axes: int = 1, use_bias: bool = False
    ) -> Linear:
        """Create one of the projections, with parameters under `name`."""
        own = self.out_kernel_init if name == "out" else None
        return Linear(
            features=features,
            axes=axes,
            use_bias=use_bias,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            kernel_init=own or self.kernel_init,
            name=name,
        )

    def width(self, embed: int) -> int:
        """Features of a head, for an input of width `embed`."""
        if self.head_dim is None and embed % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide embed={embed}; "
                f"use {divisors(embed)}, or give head_dim."
            )
        return self.head_dim or embed // self.num_heads
