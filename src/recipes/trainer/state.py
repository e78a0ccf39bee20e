"""The training state."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from flax.training import train_state


class TrainState(train_state.TrainState):
    """Parameters, optimiser state and step of Flax's `TrainState`, and a random key.

    Attributes:
        key: Random key, which never changes; each step folds its number into it, so that noise
            differs between steps and any step can be repeated.
        skipped: Number of consecutive steps, up to the last, whose gradient was not finite.
        extra: Arrays that a step of one's own keeps, such as averages of parameters; they are saved
            and resumed with the rest.
    """

    key: jax.Array
    skipped: jax.Array
    extra: Any = struct.field(default_factory=dict)

    @classmethod
    def create(
        cls,
        *,
        apply_fn: Any,
        params: Any,
        tx: optax.GradientTransformation,
        key: jax.Array,
        **fields: Any,
    ) -> "TrainState":
        """Create the state before the first step; `params` are donated to training."""
        # Training donates the state's buffers: those of others must not be among them, none twice.
        fields["extra"] = jax.tree.map(jnp.copy, fields.get("extra", {}))
        fields |= {"key": jnp.copy(key), "skipped": jnp.zeros((), jnp.int32)}
        state = super().create(apply_fn=apply_fn, params=params, tx=tx, **fields)
        # A Python integer would be traced as another type than the array that a step returns.
        return state.replace(step=jnp.zeros((), jnp.int32))


def arrays_of(state: TrainState) -> dict[str, Any]:
    """The arrays of a state, with keys as raw data, which files can hold."""
    return {
        "step": state.step,
        "params": state.params,
        "opt_state": state.opt_state,
        "key": jax.random.key_data(state.key),
        "skipped": state.skipped,
        **({"extra": state.extra} if jax.tree.leaves(state.extra) else {}),
    }
