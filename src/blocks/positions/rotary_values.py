"""`RotaryValues`: values that are rotated by their positions, as keys are."""

from blocks.attention.inputs import AttentionInputs
from blocks.attention.values import ValueTransform
from blocks.core.typing import Array, Float, typed
from blocks.positions.rotary import RoPE


class RotaryValues(ValueTransform, kw_only=True):
    r"""Rotary values: each value rotated by its position, $v_t \leftarrow R_t v_t$.

    The sum over values then tells where they stood. It goes into the slot `values` of attention,
    beside a `RoPE` of queries and keys in the slot `position`.

    Attributes:
        rope: the rotation, which may differ from that of queries and keys.

    Raises:
        ValueError: an odd number of rotated features.

    Example:
        ```python
        >>> from blocks import MultiHeadAttention, RoPE
        >>> from blocks.positions import RotaryValues
        >>> rope = RoPE(interleaved=True)
        >>> attention = MultiHeadAttention(
        ...     num_heads=4, position=rope, values=(RotaryValues(rope=rope),)
        ... )

        ```

    References:
        Su et al., RoFormer, 2021, arXiv:2104.09864 (`rotary_value` of its configuration).
    """

    rope: RoPE = RoPE()

    @typed
    def __call__(
        self, value: Float[Array, "batch kv_seq kv_heads value_dim"], inputs: AttentionInputs
    ) -> Float[Array, "batch kv_seq kv_heads value_dim"]:
        """Rotate values by their positions."""
        return self.rope.turn(value, inputs.key_at.positions)
