"""Law 7: every kernel gives what the reference kernel gives, forward and gradient.

A table of kernels and options; a kernel is held to every option that it claims to support.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import pytest

from blocks import (
    ALiBi,
    Auto,
    Causal,
    ChunkedAttention,
    CudnnAttention,
    RelativeBias,
    SlidingWindow,
    SoftCap,
    dot_product_attention,
)
from blocks.attention import Modification, ScoreModification
from blocks.attention.kernels import BandedAttention, Kernel, KernelCall, Support, support_of
from blocks.attention.kernels.cudnn import fused_attention
from blocks.attention.masks import Dilated, Mask
from blocks.context import Coordinates

Modifications = Callable[[jax.Array], tuple[Modification, ...]]


@dataclasses.dataclass(frozen=True)
class StandIn:
    """What `CudnnAttention` hands to JAX, computed without cuDNN."""

    @property
    def support(self) -> Support:
        hardware = {"dtypes": None, "platforms": None, "odd_lengths": True, "head_dim_multiple": 1}
        return dataclasses.replace(CudnnAttention().support, **hardware)

    def __call__(self, *arrays: Any, mask: Mask | None, scale: float | None, **_: Any) -> jax.Array:
        return fused_attention(*arrays, mask=mask, scale=scale, implementation="xla")


@dataclasses.dataclass(frozen=True)
class Option:
    """A way to call a kernel: sizes, what is hidden, score modifications."""

    q_seq: int = 7
    kv_seq: int = 7
    heads: int = 4
    kv_heads: int = 4
    value_dim: int = 4
    mask: Mask | None = None
    start: int = 0
    valid: tuple[tuple[int, ...], ...] | None = None
    segment_ids: tuple[tuple[int, ...], ...] | None = None
    scale: float | None = None
    modifications: Modifications = lambda learned: ()
    sinks: bool = False

    def coordinates(self) -> tuple[Coordinates, Coordinates]:
        """Where queries and keys stand; one value for both where they are the same tokens."""
        order = jnp.arange(self.kv_seq)[None]
        key_at = Coordinates(
            order,
            order,
            None if self.valid is None else jnp.array(self.valid, bool),
            None if self.segment_ids is None else jnp.array(self.segment_ids),
            increasing=True,
        )
        if self.q_seq == self.kv_seq:
            return key_at, key_at
        late = self.start + jnp.arange(self.q_seq)[None]
        return Coordinates(late, late), key_at


class Slope(ScoreModification, kw_only=True):
    """A learned slope for each head, as relative positions have."""

    def modify(
        self, scores: jax.Array, parameters: Any, query_at: Coordinates, key_at: Coordinates
    ) -> jax.Array:
        distance = query_at.positions[:, None, :, None] - key_at.positions[:, None, None, :]
        return scores + parameters["slope"][None, :, None, None] * distance


def biased(learned: jax.Array) -> tuple[Modification, ...]:
    """A learned slope before a soft cap."""
    return (Modification(Slope(), {"slope": learned}), Modification(SoftCap(cap=2.0)))


PADDING = ((1, 1, 1, 1, 1, 0, 0), (0, 0, 0, 0, 0, 0, 0))


def distances(learned: jax.Array) -> tuple[Modification, ...]:
    """A table that is learned and looked up by the distance of query and key, and ALiBi."""
    bias = RelativeBias(num_buckets=4, max_distance=3)
    table = jnp.outer(jnp.arange(4.0) + 1.0, learned)
    return (Modification(bias, table), Modification(ALiBi()))


OPTIONS = {
    "all see all": Option(),
    "multi query, causal": Option(kv_heads=1, mask=Causal()),
    "grouped, window": Option(kv_heads=2, mask=Causal() & SlidingWindow(2), scale=0.3),
    "either of two masks": Option(mask=SlidingWindow(2) | ~Causal()),
    "padding, rows that see nothing": Option(mask=Causal(), valid=PADDING),
    "documents": Option(mask=Causal(), segment_ids=((0, 0, 0, 1, 1, 1, 2), (0, 1, 1, 1, 1, 1, 1))),
    "one query on a cache": Option(
        q_seq=1, kv_seq=9, kv_heads=2, start=6, mask=Causal(), valid=((1,) * 7 + (0, 0),) * 2
    ),
    "other lengths and widths": Option(q_seq=5, kv_seq=10, value_dim=6),
    "learned score modifications": Option(kv_heads=2, mask=Causal(), modifications=biased),
    "positions as modifications": Option(mask=Causal() & Dilated(2), modifications=distances),
    "sinks": Option(sinks=True),
    "sinks, all at once": Option(
        kv_heads=2,
        mask=Causal() & SlidingWindow(3),
        valid=PADDING,
        modifications=biased,
        sinks=True,
    ),
}
KERNELS = {
    "chunked": ChunkedAttention(query_chunk=3, key_chunk=4),
    "chunked, one by one": ChunkedAttention(query_chunk=1, key_chunk=1),
    "auto, many": Auto(many=1),
    "fused": StandIn(),
    "banded": BandedAttention(query_chunk=3, scores=100),
}


def claimed(kernel: Kernel, option: Option) -> bool:
    call = KernelCall(
        q_seq=option.q_seq,
        kv_seq=option.kv_seq,
        head_dim=4,
        value_dim=option.value_dim,
        mask=option.mask,
        modifications=tuple(m.block for m in option.modifications(jnp.zeros(4))),
        sinks=option.sinks,
    )
    return support_of(kernel).refusal(call) is None


# The two further ways to run chunks need not meet every option again.
FEW = ("grouped, window", "sinks, all at once")
CLAIMS = [
    (kernel, option)
    for kernel in KERNELS
    for option in OPTIONS
    if claimed(KERNELS[kernel], OPTIONS[option])
    and (option in FEW or kernel in ("chunked", "fused", "banded"))
]


def inputs(option: Option) -> tuple[jax.Array, ...]:
    """Query, key, value, sinks, parameters of modifications, factors of the result in a loss."""
    shapes = [
        (2, option.q_seq, option.heads, 4),
        (2, option.kv_seq, option.kv_heads, 4),
        (2, option.kv_seq, option.kv_heads, option.value_dim),
        (option.heads,),
        (option.heads,),
        (2, option.q_seq, option.heads, option.value_dim),
    ]
    keys = jax.random.split(jax.random.key(0), len(shapes))
    return tuple(jax.random.normal(k, shape) for k, shape in zip(keys, shapes, strict=True))


@functools.cache
def results(kernel: Kernel, name: str) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """What a kernel gives, and the gradients of all that it was given."""
    option = OPTIONS[name]
    *arrays, factors = inputs(option)

    def loss(*arrays: jax.Array) -> tuple[jax.Array, jax.Array]:
        *qkv, sinks, learned = arrays
        out = kernel(
            *qkv,
            *option.coordinates(),
            mask=option.mask,
            scale=option.scale,
            modifications=option.modifications(learned),
            sinks=sinks if option.sinks else None,
        )
        return (factors * out).sum(), out

    gradient = jax.jit(jax.grad(loss, argnums=range(5), has_aux=True))
    gradients, out = gradient(*arrays)
    return out, gradients


@pytest.mark.parametrize(("kernel", "option"), CLAIMS, ids=str)
def test_every_kernel_gives_what_the_reference_gives(kernel: str, option: str) -> None:
    got = results(KERNELS[kernel], option)
    want = results(dot_product_attention, option)
    chex.assert_tree_all_finite(got)
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("option", OPTIONS)
def test_the_reference_has_a_gradient_wherever_an_option_says_so(option: str) -> None:
    """Else a kernel that forgot a gradient would agree with zeros."""
    _, (*qkv, sinks, learned) = results(dot_product_attention, option)
    assert all(jnp.abs(gradient).max() > 1e-3 for gradient in qkv)
    assert bool(sinks.any()) == OPTIONS[option].sinks
    assert bool(learned.any()) == (OPTIONS[option].modifications in (biased, distances))


def test_which_kernels_claim_less_than_everything() -> None:
    of = {name: {o for k, o in CLAIMS if k == name} for name in ("chunked", "fused", "banded")}
    assert of["chunked"] == set(OPTIONS)
    assert of["chunked"] - of["fused"] == {
        "other lengths and widths",
        "learned score modifications",
        "positions as modifications",
        "sinks",
        "sinks, all at once",
    }
    assert of["chunked"] - of["banded"] == {
        "learned score modifications",
        "positions as modifications",
        "sinks",
        "sinks, all at once",
    }
