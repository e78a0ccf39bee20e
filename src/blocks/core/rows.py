"""Products of a single row, as that of a token in decoding, in the form that a CPU is fast at."""

import jax.numpy as jnp

from blocks.core.devices import platform
from blocks.core.typing import Array, Float, typed


@typed
def table_product(
    x: Float[Array, "rows embed"], table: Float[Array, "vocab embed"]
) -> Float[Array, "rows vocab"]:
    """Multiply rows by all rows of a table of the same dtype, in float32."""
    if len(x) == 1 and table.dtype == jnp.float32 and platform() == "cpu":
        # With the table on the left XLA reads it as it is stored, at the speed of memory; on the
        # right it takes up to four times as long. `benchmarks/probes/forms.py` measures both.
        return (table @ x.T).T
    return jnp.einsum("re,ve->rv", x, table, preferred_element_type=jnp.float32)
