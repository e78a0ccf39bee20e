"""Experts: one MLP with a set of parameters per expert, one of which is applied to each row."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import DenyList, Scope

from blocks.core.block import fresh
from blocks.core.leave import share
from blocks.core.typing import Array, Float, Int, typed
from blocks.moe.dispatch import block_size, by_expert, plan

NAME = "experts"


@typed
def run_experts(
    owner: nn.Module,
    expert: nn.Module,
    num_experts: int,
    x: Float[Array, "rows embed"],
    experts: Int[Array, "rows"],
    deterministic: bool,
) -> Float[Array, "rows embed"]:
    """Apply to each row the expert of its number.

    Args:
        owner: the block that holds the parameters, under `experts`, with a leading axis of experts.
        expert: template of an expert; it transforms each row independently.
        num_experts: number of sets of parameters.
        x: rows.
        experts: index of each row's expert.
        deterministic: passed on to the expert, as are the random streams of the call.

    Raises:
        ValueError: an expert with variables other than parameters, or that reports a loss.
    """
    rows, embed = x.shape
    if owner.is_initializing():
        row = jnp.zeros((1, embed), x.dtype)
        draw = nn.vmap(
            lambda one: one(row, None, deterministic),
            variable_axes={"params": 0, DenyList("params"): 0},
            split_rngs={True: True},
            axis_size=num_experts,
        )
        draw(fresh(expert, name=NAME))
    size = block_size(rows, num_experts)
    at = plan(experts, num_experts, size)
    places = at.expert.shape[0] * size
    # Entries without a row repeat one: on zeros, an expert's function might have no gradient.
    some = jax.lax.stop_gradient(x[:1].sum(axis=0))
    blocks = jnp.broadcast_to(some, (places, embed)).at[at.place].set(x)
    assert owner.scope is not None
    keys = {
        name: jax.random.split(owner.make_rng(name), at.expert.shape[0])
        for name in owner.scope.rngs
        if name != "params"
    }

    def run(own: dict, rows: Array, keys: dict[str, Array]) -> Array:
        scope = Scope(
            {"params": own},
            keys,
            name=NAME,
            mutable=DenyList(("params", "intermediates")),
            path=(*owner.path, NAME),
        )
        result = fresh(expert, parent=scope)(rows, None, deterministic)
        _check_writes(expert, scope)
        return result

    with share(rows, places):
        parameters = owner.get_variable("params", NAME, {})
        results = by_expert(run, parameters, blocks.reshape(-1, size, embed), at, keys)
    return results.reshape(-1, embed)[at.place]


def _check_writes(expert: nn.Module, scope: Scope) -> None:
    """Refuse what an expert would leave besides its result, which nobody could be given."""
    written = [name for name, tree in scope.variables().items() if name != "params" and tree]
    if written:
        raise ValueError(
            f"expert={expert} writes the collection `{written[0]}`, which a mixture does not keep: "
            "each expert meets only the rows that choose it. Give experts parameters alone, and "
            "report losses and statistics from a block around the mixture."
        )
