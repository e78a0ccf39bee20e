"""Mistakes in the fields of MLPs, norms, linear maps and experts."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

import flax.linen as nn
import jax.numpy as jnp
from errors.case import mistake, told

from blocks import (
    MLP,
    ClampedGatedMLP,
    GatedMLP,
    LayerNorm,
    Linear,
    RMSNorm,
    SigmoidRouter,
    SoftmaxRouter,
)
from blocks.mlp import XIELU

INITIALISER = (
    "expected: an initialiser, a function of key, shape and dtype, as Normal(0.02) or "
    "nn.initializers.normal()"
)

CASES = (
    mistake(
        "XIELU beta",
        lambda: XIELU(beta=0.0),
        ValueError,
        "XIELU: beta=0.0 must be positive; the paper has 0.5.",
    ),
    mistake(
        "MLP hidden",
        lambda: MLP(4),
        TypeError,
        "MLP: fields are given by name; write MLP(hidden=...).",
    ),
    mistake(
        "MLP hiden",
        lambda: MLP(hiden=4),
        TypeError,
        "MLP: no field `hiden`; did you mean `hidden`?",
    ),
    mistake(
        "MLP hidden 2",
        lambda: MLP(hidden=0),
        ValueError,
        "MLP: hidden=0 must be at least 1; 4 * embed is usual.",
    ),
    mistake(
        "MLP activation",
        lambda: MLP(hidden=4, activation="gelu"),
        TypeError,
        "MLP: field `activation` cannot hold this",
        "  expected: Callable[[Array], Array]",
        "  actual:   'gelu'",
        "  fix:      pass the function, jax.nn.gelu",
    ),
    mistake(
        "MLP activation 2",
        lambda: MLP(hidden=4, activation="swish2"),
        TypeError,
        "MLP: field `activation` cannot hold this",
        "  expected: Callable[[Array], Array]",
        "  actual:   'swish2'",
        "  fix:      write a value instead of a name",
    ),
    mistake(
        "MLP kernel_init",
        lambda: MLP(hidden=4, kernel_init="lecun_normal"),
        TypeError,
        "MLP: field `kernel_init` cannot hold this",
        f"  {INITIALISER}",
        "  actual:   'lecun_normal'",
    ),
    mistake(
        "MLP kernel_init 2",
        lambda: MLP(hidden=4, kernel_init=0.02),
        TypeError,
        "MLP: field `kernel_init` cannot hold this",
        f"  {INITIALISER}",
        "  actual:   0.02",
    ),
    mistake(
        "MLP kernel_init 5",
        lambda: MLP(hidden=4, kernel_init=nn.initializers.normal),
        TypeError,
        "MLP: field `kernel_init` cannot hold this",
        f"  {INITIALISER}",
        "  actual:   normal",
    ),
    mistake(
        "MLP dtype 2",
        lambda: MLP(hidden=4, dtype="bfloat"),
        TypeError,
        "MLP: field `dtype` cannot hold this",
        "  expected: a floating point dtype, as jnp.bfloat16, or None",
        "  actual:   'bfloat'",
    ),
    mistake(
        "MLP dtype 3",
        lambda: MLP(hidden=4, dtype=jnp.int32),
        TypeError,
        "MLP: field `dtype` cannot hold this",
        "  expected: a floating point dtype, as jnp.bfloat16, or None",
        "  actual:   int32",
    ),
    mistake(
        "MLP param_dtype",
        lambda: MLP(hidden=4, param_dtype=None),
        TypeError,
        "MLP: field `param_dtype` cannot hold this",
        "  expected: a floating point dtype, as jnp.bfloat16",
        "  actual:   None",
    ),
    mistake(
        "MLP dropout_rate",
        lambda: MLP(hidden=4, dropout_rate="0.1"),
        TypeError,
        "MLP: field `dropout_rate` cannot hold this",
        "  expected: float",
        "  actual:   '0.1'",
        "  fix:      write 0.1, without quotes",
    ),
    mistake(
        "MLP hidden 3",
        lambda: MLP(hidden=jnp.int32(4)),
        TypeError,
        "MLP: field `hidden` cannot hold this",
        "  expected: int",
        "  actual:   i32[]",
        "  fix:      write int(hidden)",
    ),
    told(
        "GatedMLP hidden",
        lambda: GatedMLP(hidden=-1),
        ValueError,
        "GatedMLP: hidden=-1 must be at least 1",
    ),
    told(
        "ClampedGatedMLP limit",
        lambda: ClampedGatedMLP(hidden=4, limit=0.0),
        ValueError,
        "ClampedGatedMLP: limit=0.0 must be positive",
    ),
    told(
        "Linear features",
        lambda: Linear(features=8),
        TypeError,
        "Linear: field `features`",
        "write it as a tuple, (...,)",
    ),
    told(
        "Linear features 2",
        lambda: Linear(features=(0,)),
        ValueError,
        "Linear: features=(0,) must all be at least 1.",
    ),
    told(
        "SoftmaxRouter top_k",
        lambda: SoftmaxRouter(num_experts=2, top_k=3),
        ValueError,
        "SoftmaxRouter: top_k=3 must be from 1 to num_experts=2.",
    ),
    told(
        "SigmoidRouter num_groups",
        lambda: SigmoidRouter(num_experts=4, top_k=1, num_groups=3),
        ValueError,
        "SigmoidRouter: num_groups=3 must divide num_experts=4.",
    ),
    told(
        "RMSNorm epsilon",
        lambda: RMSNorm(epsilon="1e-6"),
        TypeError,
        "RMSNorm: field `epsilon`",
        "write 1e-06, without quotes",
    ),
    told(
        "LayerNorm use_bias",
        lambda: LayerNorm(use_bias=None),
        TypeError,
        "LayerNorm: field `use_bias`",
        "expected: bool",
    ),
)
