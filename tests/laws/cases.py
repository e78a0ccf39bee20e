"""The list of blocks that every law is tested on; a test says which block has not joined."""

from laws.families import (
    attention,
    embeddings,
    heads,
    layers,
    linear,
    mlp,
    moe,
    multi_token,
    norms,
    positions,
    residual,
    streams,
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
    "streams": streams.CASES,
    "multi_token": multi_token.CASES,
}
CASES = [case for cases in FAMILIES.values() for case in cases]
