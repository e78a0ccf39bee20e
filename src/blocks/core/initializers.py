"""Initialisers as values, which compare, print and pickle, unlike closures.

Two calls of `nn.initializers.normal(0.02)` are two functions, so two models that hold them are
unequal. These are equal when their fields are.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from blocks.core.typing import Array, Dtype, Key


@dataclasses.dataclass(frozen=True)
class Normal:
    """Normal initialiser of mean zero.

    Attributes:
        stddev: standard deviation.
    """

    stddev: float

    def __call__(
        self, key: Key[Array, ""], shape: tuple[int, ...], dtype: Dtype = jnp.float32, **_: object
    ) -> Array:
        """Draw an array."""
        return jax.nn.initializers.normal(self.stddev)(key, shape, dtype)


@dataclasses.dataclass(frozen=True)
class Constant:
    """Constant initialiser.

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
    """Variance scaling initialiser: variance `scale / n`, where `n` counts inputs, outputs or both.

    Attributes:
        scale: factor on the variance.
        mode: choice of `n`: `"fan_in"`, `"fan_out"` or `"fan_avg"`, their mean.
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
        """Draw an array; the last axis counts outputs, the ones before it inputs."""
        draw = jax.nn.initializers.variance_scaling(self.scale, self.mode, self.distribution)
        return draw(key, shape, dtype)


LECUN_NORMAL = VarianceScaling()
