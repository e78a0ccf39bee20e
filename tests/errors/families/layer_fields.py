"""Mistakes in the fields of layers, stacks and residual layouts."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# What a checker of types finds too is what the cases are about.

from errors.case import CAUSAL, layer, mistake, told

from blocks import MLP, Stack, TransformerBlock
from blocks.residual import DeepNorm

CASES = (
    mistake(
        "TransformerBlock mlp",
        lambda: TransformerBlock(attention=CAUSAL, mlp=MLP),
        TypeError,
        "TransformerBlock: field `mlp` cannot hold this",
        "  expected: Module",
        "  actual:   MLP",
        "  fix:      it is the class; write MLP(...)",
    ),
    mistake(
        "Stack depth",
        lambda: Stack(block=layer(), depth=0),
        ValueError,
        "Stack: depth=0 must be at least 1.",
    ),
    mistake(
        "Stack depth 2",
        lambda: Stack(block=(layer(), layer()), depth=3, scan=True),
        ValueError,
        (
            "Stack: depth=3 must be a multiple of the pattern's 2 blocks to scan; use 2, or"
            " scan=False."
        ),
    ),
    mistake(
        "Stack block",
        lambda: Stack(block=(), depth=3),
        ValueError,
        "Stack: block=() holds no layer; give at least one.",
    ),
    mistake(
        "Stack block 2",
        lambda: Stack(block=layer, depth=3),
        TypeError,
        "Stack: field `block` cannot hold this",
        "  expected: Module | tuple[Module, ...]",
        "  actual:   layer",
        "  fix:      call it, if it makes what is expected: layer(...)",
    ),
    told(
        "DeepNorm depth",
        lambda: DeepNorm(depth=0),
        ValueError,
        "DeepNorm: depth=0 must be at least 1, the layers of the stack.",
    ),
    mistake(
        "Stack depth 3",
        lambda: Stack(block=[layer()], depth=True),
        TypeError,
        "Stack: field `depth` cannot hold this",
        "  expected: int",
        "  actual:   True",
        "  fix:      write 1",
    ),
)
