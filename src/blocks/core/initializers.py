"""Initialisers as values: they compare, print and pickle, which closures do not.

Two calls of `nn.initializers.normal(0.02)` are two functions, so two models that hold them are
unequal although they are the same. These are the same when their numbers are.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from blocks.core.typing import Array, Dtype, Key


@dataclasses.dataclass(frozen=True)
class Normal:
    """Draws from a normal distribution of mean zero.

    Attributes:
        stddev: its standard deviation.
    """

    stddev: float

    def __call__(
        self, key: Key[Array, ""], shape: tuple[int, ...], dtype: Dtype = jnp.float32, **_: object
    ) -> Array:
        """Draws an array."""
        return jax.nn.initializers.normal(self.stddev)(key, shape, dtype)


@dataclasses.dataclass(frozen=True)
class Constant:
    """Fills with one number.

    Attributes:
        value: the number.
    """

    value: float

    def __call__(
        self, key: Key[Array, ""], shape: tuple[int, ...], dtype: Dtype = jnp.float32, **_: object
    ) -> Array:
        """Make an array; the key is not used."""
        return jnp.full(shape, self.value, dtype)


@dataclasses.dataclass(frozen=True)
class VarianceScaling:
    """Draws with a variance of `scale / n`, where `n` counts inputs, outputs or their mean.

    Attributes:
        scale: factor on the variance.
        mode: which `n`: `"fan_in"`, `"fan_out"` or `"fan_avg"`.
        distribution: `"truncated_normal"`, `"normal"` or `"uniform"`.

    References:
        He et al., Delving Deep into Rectifiers, 2015, arXiv:1502.01852.
    """

    scale: float = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "normal", "uniform"] = "truncated_normal"

    def __call__(
        self, key: Key[Array, ""], shape: tuple[int, ...], dtype: Dtype = jnp.float32, **_: object
    ) -> Array:
        """Draws an array; the last axis counts outputs, the ones before it inputs."""
        draw = jax.nn.initializers.variance_scaling(self.scale, self.mode, self.distribution)
        return draw(key, shape, dtype)


LECUN_NORMAL = VarianceScaling()
