"""Residual layouts, in blocks that compile quickly."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from laws.case import EMBED, VOCAB, Case, tokens, vectors
from laws.families.attention import attention
from laws.references import Params, reference

from blocks import (
    MLP,
    CausalLM,
    LayerScale,
    LMHead,
    OutputNorm,
    Parallel,
    ParallelNorms,
    PostNorm,
    PreNorm,
    RMSNorm,
    SandwichNorm,
    Stack,
    TokenEmbedding,
    TransformerBlock,
)
from blocks.residual import (
    AdaptiveNormZero,
    Canon,
    DeepNorm,
    Residual,
    ReZero,
    ScaledResidual,
    StochasticDepth,
    WithoutNorm,
    X0Mix,
)


def small(residual: Residual, **fields: Any) -> TransformerBlock:
    """A block that compiles quickly: what is tried is its layout."""
    attention, mlp = MLP(hidden=4, use_bias=False), MLP(hidden=6, use_bias=False)
    return TransformerBlock(
        **{"attention": attention, "mlp": mlp, "norm": RMSNorm(), "residual": residual, **fields}
    )


MIXED = CausalLM(
    embed=TokenEmbedding(vocab_size=VOCAB, features=EMBED),
    stack=Stack(
        block=small(
            X0Mix(residual=SandwichNorm()), attention=attention(num_heads=2, use_bias=False)
        ),
        depth=2,
    ),
    norm=RMSNorm(),
    head=LMHead(tied=True),
)


E, V = EMBED, VOCAB
SMALL = 2 * 4 * E + 2 * 6 * E

CASES = [
    Case("block_sandwich", small(SandwichNorm()), vectors, SMALL + 4 * E),
    Case("block_output_norm", small(OutputNorm()), vectors, SMALL + 2 * E),
    Case("block_parallel", small(Parallel()), vectors, SMALL + E),
    Case("block_parallel_norms", small(ParallelNorms()), vectors, SMALL + 2 * E),
    Case("block_deep_norm", small(DeepNorm(depth=3)), vectors, SMALL + 2 * E),
    Case("block_re_zero", small(ReZero()), vectors, SMALL + 2),
    Case(
        "block_layer_scale",
        small(LayerScale(residual=StochasticDepth(rate=0.3))),
        vectors,
        SMALL + 4 * E,
    ),
    Case(
        "block_scaled_residual",
        small(ScaledResidual(residual=ParallelNorms(), scale=0.22)),
        vectors,
        SMALL + 2 * E,
    ),
    Case(
        "block_without_norm",
        small(WithoutNorm(residual=SandwichNorm(), sublayers=("attention",))),
        vectors,
        SMALL + 2 * E,
    ),
    Case(
        "block_adaptive",
        small(AdaptiveNormZero()),
        vectors,
        SMALL + 2 * E + 2 * (3 * E * E + 3 * E),
        condition=True,
    ),
    Case(
        "block_canon",
        small(Canon(residual=SandwichNorm())),
        vectors,
        SMALL + 4 * E + 2 * 4 * E,
        mixes=True,
        caches=True,
    ),
    Case(
        "gpt_x0_mix",
        MIXED,
        tokens,
        V * E + 2 * (4 * E * E + 2 * 6 * E + 4 * E + 2) + E,
        argument="tokens",
        mixes=True,
        caches=True,
        heavy=True,
    ),
]

Row = np.ndarray
Sublayers = dict[str, Callable[[Row], Row]]
Norm = Callable[[str, Row], Row]


@functools.singledispatch
def layout(
    residual: Any,
    params: Params,
    x: Row,
    sublayers: Sublayers,
    norm: Norm,
    *others: Row,
) -> Row:
    """The residual layout on one sequence."""
    raise TypeError(f"{type(residual).__name__} has no reference: register one below `layout`.")


@layout.register
def _(residual: PreNorm, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *_: Row) -> Row:
    for name, sublayer in sublayers.items():
        x = x + sublayer(norm(f"{name}_norm", x))
    return x


@layout.register
def _(residual: PostNorm, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *_: Row) -> Row:
    for name, sublayer in sublayers.items():
        x = norm(f"{name}_norm", x + sublayer(x))
    return x


@layout.register
def _(
    residual: SandwichNorm, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    for name, sublayer in sublayers.items():
        x = x + norm(f"{name}_out_norm", sublayer(norm(f"{name}_norm", x)))
    return x


@layout.register
def _(
    residual: OutputNorm, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    for name, sublayer in sublayers.items():
        x = x + norm(f"{name}_out_norm", sublayer(x))
    return x


@layout.register
def _(
    residual: Parallel, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    return x + sum(sublayer(norm("input_norm", x)) for sublayer in sublayers.values())


@layout.register
def _(
    residual: ParallelNorms, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    return x + sum(sublayer(norm(f"{name}_norm", x)) for name, sublayer in sublayers.items())


@layout.register
def _(
    residual: DeepNorm, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    for name, sublayer in sublayers.items():
        x = norm(f"{name}_norm", math.sqrt(math.sqrt(2 * residual.depth)) * x + sublayer(x))
    return x


@layout.register
def _(
    residual: ReZero, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    for name, sublayer in sublayers.items():
        x = x + params[f"{name}_weight"] * sublayer(x)
    return x


@layout.register
def _(
    residual: LayerScale, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    def scaled(name: str) -> Callable[[Row], Row]:
        return lambda h: params[f"{name}_scale"] * sublayers[name](h)

    inner = params.get("residual", {})
    return layout(residual.residual, inner, x, {name: scaled(name) for name in sublayers}, norm)


@layout.register
def _(
    residual: ScaledResidual, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    def scaled(name: str) -> Callable[[Row], Row]:
        return lambda h: residual.scale * sublayers[name](h)

    return layout(residual.residual, params, x, {n: scaled(n) for n in sublayers}, norm, *others)


@layout.register
def _(
    residual: WithoutNorm, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    def some(name: str, h: Row) -> Row:
        return h if name.startswith(residual.sublayers) else norm(name, h)

    return layout(residual.residual, params, x, sublayers, some, *others)


@layout.register
def _(
    residual: StochasticDepth,
    params: Params,
    x: Row,
    sublayers: Sublayers,
    norm: Norm,
    *others: Row,
) -> Row:
    return layout(residual.residual, params.get("residual", {}), x, sublayers, norm, *others)


@layout.register
def _(
    residual: X0Mix, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    x = params["own"] * x + params["x0"] * others[-1]
    return layout(residual.residual, params.get("residual", {}), x, sublayers, norm, *others)


@layout.register
def _(
    residual: Canon, params: Params, x: Row, sublayers: Sublayers, norm: Norm, *others: Row
) -> Row:
    def hearing(name: str) -> Callable[[Row], Row]:
        own = params[f"{name}_convolution"]
        return lambda h: sublayers[name](h + reference(residual.convolution, own, h))

    inner = params.get("residual", {})
    return layout(residual.residual, inner, x, {n: hearing(n) for n in sublayers}, norm, *others)


@layout.register
def _(
    residual: AdaptiveNormZero,
    params: Params,
    x: Row,
    sublayers: Sublayers,
    norm: Norm,
    *others: Row,
) -> Row:
    condition = others[-1] / (1.0 + np.exp(-others[-1]))
    for name, sublayer in sublayers.items():
        own = params[name]
        shift, scale, gate = np.einsum("c,cie->ie", condition, own["kernel"]) + own["bias"]
        x = x + gate * sublayer(norm(f"{name}_norm", x) * (1.0 + scale) + shift)
    return x
