"""The signature of attention kernels.

A kernel receives the mask and score modifications as rules together with coordinates, not as
arrays, so that a chunked kernel can evaluate them chunk by chunk.
"""

import inspect
from typing import Any, Protocol, runtime_checkable

from blocks.attention.masks import Mask
from blocks.attention.scores import Modification
from blocks.context import Coordinates
from blocks.core.typing import Array, Float, Key


@runtime_checkable
class Kernel(Protocol):
    """Protocol of attention kernels; `dot_product_attention` is the reference.

    Scores are scaled, then modified in order, then masked. `sinks` are one further logit per head,
    which then joins the softmax and has no value. A query with no visible key gives zeros.

    A kernel that cannot serve every call says so in an attribute `support`; see `Support`.
    """

    def __call__(
        self,
        query: Float[Array, "batch q_seq heads head_dim"],
        key: Float[Array, "batch kv_seq kv_heads head_dim"],
        value: Float[Array, "batch kv_seq kv_heads value_dim"],
        query_at: Coordinates,
        key_at: Coordinates,
        *,
        mask: Mask | None = None,
        scale: float | None = None,
        modifications: tuple[Modification, ...] = (),
        sinks: Float[Array, "heads"] | None = None,
        dropout_rate: float = 0.0,
        dropout_key: Key[Array, ""] | None = None,
    ) -> Float[Array, "batch q_seq heads value_dim"]:
        """Attend from every query to the keys that are visible to it."""
        ...


def check_signature(kernel: Any) -> None:
    """Validate that a value can be called as a kernel.

    Raises:
        TypeError: a class, or a callable of another signature.
    """
    if inspect.isclass(kernel):
        problem = f"is a class; write {kernel.__name__}()"
    else:
        asked = list(inspect.signature(Kernel.__call__).parameters.values())[1:]
        placed = [p.name for p in asked if p.kind is not p.KEYWORD_ONLY]
        named = {p.name: p.default for p in asked if p.kind is p.KEYWORD_ONLY}
        try:
            inspect.signature(kernel).bind(*placed, **named)
        except TypeError as error:
            call = ", ".join([*placed, *(f"{name}=..." for name in named)])
            problem = f"cannot be called as an attention kernel, ({call}): {error}"
        except ValueError:  # no readable signature, as for some functions written in C
            return
        else:
            return
    shown = getattr(kernel, "__name__", None) or repr(kernel)
    raise TypeError(f"implementation={shown} {problem}; see `Kernel`, or use Auto().")
