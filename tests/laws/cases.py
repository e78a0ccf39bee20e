"""The list of blocks that every law is tested on; a test says which block has not joined."""

from laws.families import (
    adapters,
    attention,
    embeddings,
    heads,
    layers,
    linear,
    mlp,
    moe,
    norms,
    positions,
    residual,
)

FAMILIES = {
    "linear": linear.CASES,
    "norms": norms.CASES,
    "mlp": mlp.CASES,
    "moe": moe.CASES,
    "positions": positions.CASES,
    "attention": attention.CASES,
    "embeddings": embeddings.CASES,
    "heads": heads.CASES,
    "residual": residual.CASES,
    "layers": layers.CASES,
    "adapters": adapters.CASES,
}
CASES = [case for cases in FAMILIES.values() for case in cases]
