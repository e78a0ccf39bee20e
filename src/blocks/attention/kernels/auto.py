"""`Auto`: the fastest kernel that supports a call."""

import dataclasses
from typing import Annotated, NamedTuple

import jax

from blocks.attention.kernels.banded import BandedAttention
from blocks.attention.kernels.chunked import ChunkedAttention
from blocks.attention.kernels.cudnn import CudnnAttention
from blocks.attention.kernels.reference import dot_product_attention
from blocks.attention.kernels.signature import Kernel, check_signature
from blocks.attention.kernels.support import KernelCall, call_of, platform, support_of
from blocks.attention.masks import Mask
from blocks.attention.scores import Modification
from blocks.context import Coordinates
from blocks.core.bounds import at_least
from blocks.core.typing import Array, Float, Key, typed
from blocks.core.values import Value

# Most bands of queries for which the banded kernel is chosen: each is compiled by itself.
BANDS = 8
# Scores from which on the reference is not used: on a CPU, where the chunked kernel overtakes it
# (`benchmarks/README.md`); elsewhere half a gigabyte in float32, which was not measured.
MANY_ON_CPU, MANY = 2**19, 2**27


class Choice(NamedTuple):
    """The choice that `Auto` makes for a call.

    Attributes:
        kernel: the kernel to run.
        reason: the reason for the choice, as a sentence.
    """

    kernel: Kernel
    reason: str


class Auto(Value):
    """The fastest kernel that supports the call, chosen when the call is traced.

    The first of `kernels` that supports the call is taken, else cuDNN's where it does. Otherwise
    calls with many scores go to a kernel that never writes them all to memory: to the banded one on
    a single CPU device, for up to 1,024 queries and as many keys as fit into a band of one
    sequence, else to the chunked one. Calls with few go to the reference.

    Attributes:
        kernels: custom kernels to prefer, in order; each declares what it supports in `support`.
        many: number of scores (`batch * heads * q_seq * kv_seq`) from which on the reference is not
            used; None is $2^{19}$ on a CPU, where the chunked kernel overtook it, and $2^{27}$
            elsewhere, half a gigabyte in float32.

    Raises:
        ValueError: a number of scores below 1.
        TypeError: a kernel of another signature.

    Example:
        ```python
        >>> from blocks import Auto
        >>> from blocks.attention.kernels import KernelCall
        >>> call = KernelCall(heads=8, q_seq=16384, kv_seq=16384, head_dim=64, platform="cpu")
        >>> Auto().choose(call).kernel
        ChunkedAttention(query_chunk=512, key_chunk=512)

        ```

    References:
        Dao et al., FlashAttention, 2022, arXiv:2205.14135, on why memory decides the speed.
    """

    kernels: tuple[Kernel, ...] = ()
    many: Annotated[int, at_least(1, "; None is the default of the platform")] | None = None

    def check_fields(self) -> None:
        """Validate the signatures of the kernels."""
        for kernel in self.kernels:
            check_signature(kernel)

    def choose(self, call: KernelCall) -> Choice:
        """Choose the kernel for a call, with the reason.

        Unknown properties of the call are taken to be supported; an unknown platform is this one.
        """
        call = dataclasses.replace(call, platform=call.platform or platform())
        for kernel in self.kernels:
            if support_of(kernel).refusal(call) is None:
                return Choice(kernel, "The first of `kernels` that supports the call.")
        fused = CudnnAttention()
        refusal = support_of(fused).refusal(call)
        if refusal is None:
            return Choice(fused, "cuDNN supports the call and is the fastest on its GPUs.")
        scores = call.batch * call.heads * (call.q_seq or 1) * (call.kv_seq or 1)
        many = self.many or (MANY_ON_CPU if call.platform == "cpu" else MANY)
        because = f"{scores} scores, many={many}; cuDNN does not support {refusal}."
        if scores >= many and (call.q_seq or 1) > 1:
            banded = BandedAttention()
            few = (call.q_seq or 1) <= BANDS * banded.query_chunk
            # Scores of a band of one sequence are held at once, however many.
            fits = call.heads * banded.query_chunk * (call.kv_seq or 1) <= banded.scores
            # Groups of sequences would be gathered from the devices of a mesh.
            alone = call.platform == "cpu" and jax.device_count() == 1
            if few and fits and alone and banded.support.refusal(call) is None:
                return Choice(banded, f"Too many scores to hold at once, on a CPU: {because}")
            return Choice(ChunkedAttention(), f"Too many scores to hold at once: {because}")
        return Choice(dot_product_attention, f"Few enough scores to hold at once: {because}")

    @typed
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
        """Attend with the chosen kernel."""
        options = {
            "mask": mask,
            "modifications": modifications,
            "sinks": sinks,
            "dropout_rate": dropout_rate,
        }
        arrays = (query, key, value, query_at, key_at)
        kernel = self.choose(call_of(*arrays, **options)).kernel
        return kernel(*arrays, scale=scale, dropout_key=dropout_key, **options)
