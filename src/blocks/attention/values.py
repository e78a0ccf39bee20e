"""Transforms of values: bounds, residuals from the first layer, value embeddings."""

import flax.linen as nn
import jax.numpy as jnp

from blocks.attention.inputs import AttentionInputs
from blocks.attention.qk import Limit
from blocks.carry import AndCarry
from blocks.core.block import Block
from blocks.core.bounds import Size
from blocks.core.initializers import Constant, Normal
from blocks.core.slots import Inner
from blocks.core.typing import Array, Dtype, Float, Initializer, typed
from blocks.embeddings.tokens import check_tokens

_HALF = Constant(0.5)


class ValueTransform(Inner, Block, kw_only=True):
    """Base class for transforms of values before attention, applied in the order of `values`."""

    def __call__(
        self, value: Float[Array, "batch kv_seq kv_heads value_dim"], inputs: AttentionInputs
    ) -> AndCarry[Float[Array, "batch kv_seq kv_heads value_dim"]]:
        """Transform new values; cached values were transformed when they were new.

        A transform that leaves an array for later layers returns the carry too: `(value,
        inputs.context.carry | {"name": array})`.
        """
        raise TypeError(f"{type(self).__name__} changes nothing: give it a `__call__`.")


class ValueResidual(ValueTransform, kw_only=True):
    r"""Value residual from the first layer to every later one: $v_l \leftarrow a_l v_l + b_l v_1$.

    The first layer of a `Stack` leaves its values for the others, and has no weights of its own.
    The input tokens stay directly accessible, however deep the layer.

    Attributes:
        param_dtype: dtype of the two weights.
        weight_init: initialiser of the two weights, $a$ and $b$.

    Raises:
        ValueError: a layer called outside a `Stack` and without a carry, or values of another
            shape than the first layer's.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import MLP, MultiHeadAttention, Stack, TransformerBlock, ValueResidual
        >>> attention = MultiHeadAttention(num_heads=2, values=(ValueResidual(),))
        >>> stack = Stack(block=TransformerBlock(attention=attention, mlp=MLP(hidden=8)), depth=2)
        >>> variables = jax.jit(stack.init)(jax.random.key(0), jnp.ones((1, 3, 8)))
        >>> sorted(variables["params"]["layer_1"]["attention"]["value_residual"])
        ['first', 'own']

        ```

    References:
        Zhou et al., Value Residual Learning, 2024, arXiv:2410.17897.
    """

    param_dtype: Dtype = jnp.float32
    weight_init: Initializer = _HALF

    @nn.compact
    @typed
    def __call__(
        self, value: Float[Array, "batch kv_seq kv_heads value_dim"], inputs: AttentionInputs
    ) -> AndCarry[Float[Array, "batch kv_seq kv_heads value_dim"]]:
        """Mix in the first layer's values; in the first layer, leave them in the carry."""
        carry = inputs.context.carry
        if carry is None:
            raise ValueError(
                "ValueResidual mixes in what the first layer left; run the layers in a Stack, or "
                "thread Context(carry=Carry()) through them by split_carry."
            )
        if "first_value" not in carry:
            return value, carry | {"first_value": value}
        first = carry["first_value"]
        if first.shape != value.shape:
            raise ValueError(
                f"values of shape {value.shape} cannot be mixed with the first layer's, "
                f"{first.shape}; give all layers the same num_kv_heads and head_dim."
            )
        own = self.param("own", self.weight_init, (), self.param_dtype).astype(value.dtype)
        share = self.param("first", self.weight_init, (), self.param_dtype).astype(value.dtype)
        return own * value + share * first.astype(value.dtype)


class ValueEmbedding(ValueTransform, kw_only=True):
    r"""Value embedding: a learned value per token id, mixed into a layer's values.

    $$v \leftarrow a v + b\, E[\mathrm{token}]$$

    The table gives attention the token's identity directly, past the residual stream.

    Attributes:
        vocab_size: number of token ids in the table.
        param_dtype: dtype of the table and the two weights.
        embedding_init: initialiser of the table $E$.
        weight_init: initialiser of the two weights, $a$ and $b$.

    Raises:
        ValueError: a size below 1, a call without `context.tokens`, or a token id out of range.

    Example:
        ```python
        >>> import jax, jax.numpy as jnp
        >>> from blocks import Context, MultiHeadAttention, ValueEmbedding
        >>> attention = MultiHeadAttention(num_heads=2, values=(ValueEmbedding(vocab_size=5),))
        >>> context = Context(tokens=jnp.array([[4, 0, 2]]))
        >>> variables = jax.jit(attention.init)(jax.random.key(0), jnp.ones((1, 3, 8)), context)
        >>> variables["params"]["value_embedding"]["embedding"].shape
        (5, 2, 4)

        ```

    References:
        Jordan et al., modded-nanogpt, 2024, github.com/KellerJordan/modded-nanogpt.
    """

    reads = frozenset({"tokens"})

    vocab_size: Size
    param_dtype: Dtype = jnp.float32
    embedding_init: Initializer = Normal(0.02)
    weight_init: Initializer = _HALF

    @nn.compact
    @typed
    def __call__(
        self, value: Float[Array, "batch kv_seq kv_heads value_dim"], inputs: AttentionInputs
    ) -> Float[Array, "batch kv_seq kv_heads value_dim"]:
        """Mix in the values of `context.tokens`."""
        if inputs.context.tokens is None:
            raise ValueError(
                "ValueEmbedding looks up tokens; call with Context(tokens=...), as CausalLM does."
            )
        tokens = inputs.context.tokens
        check_tokens(tokens, self.vocab_size)
        shape = (self.vocab_size, *value.shape[2:])
        table = self.param("embedding", self.embedding_init, shape, self.param_dtype)
        own = self.param("own", self.weight_init, (), self.param_dtype).astype(value.dtype)
        share = self.param("token", self.weight_init, (), self.param_dtype).astype(value.dtype)
        return own * value + share * table[tokens].astype(value.dtype)


class ClipValue(ValueTransform, kw_only=True):
    r"""Clipping of values: $v \leftarrow \mathrm{clip}(v, -c, c)$; see `ClipQK`.

    Attributes:
        limit: the bound $c$.

    Raises:
        ValueError: a bound that is not positive.

    Example:
        ```python
        >>> from blocks.attention import ClipValue
        >>> ClipValue(limit=8.0)
        ClipValue(limit=8.0)

        ```

    References:
        MosaicML, MPT-7B, 2023 (`clip_qkv` of its configuration).
        Groeneveld et al., OLMo, 2024, arXiv:2402.00838.
    """

    limit: Limit

    @typed
    def __call__(
        self, value: Float[Array, "batch kv_seq kv_heads value_dim"], inputs: AttentionInputs
    ) -> Float[Array, "batch kv_seq kv_heads value_dim"]:
        """Clip values."""
        return jnp.clip(value, -self.limit, self.limit)
