"""The list of blocks that every law is tested on; a test says which block has not joined."""

from laws.families import (
    adapters,
    attention,
    caches,
    embeddings,
    heads,
    latent,
    layers,
    linear,
    linear_attention,
    mlp,
    moe,
    multi_token,
    norms,
    positions,
    residual,
    siblings,
    streams,
    transforms,
)

FAMILIES = {
    "linear": linear.CASES,
    "norms": norms.CASES,
    "mlp": mlp.CASES,
    "moe": moe.CASES,
    "positions": positions.CASES,
    "attention": attention.CASES,
    "transforms": transforms.CASES,
    "caches": caches.CASES,
    "linear_attention": linear_attention.CASES,
    "latent": latent.CASES,
    "siblings": siblings.CASES,
    "embeddings": embeddings.CASES,
    "heads": heads.CASES,
    "residual": residual.CASES,
    "layers": layers.CASES,
    "streams": streams.CASES,
    "adapters": adapters.CASES,
    "multi_token": multi_token.CASES,
}
CASES = [case for cases in FAMILIES.values() for case in cases]

# The first heavy case of each family stands for the others where not all slow laws are tested.
STANDING = {
    heavy[0]
    for cases in FAMILIES.values()
    if (heavy := [case.name for case in cases if case.heavy])
}
