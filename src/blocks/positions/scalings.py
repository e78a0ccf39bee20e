"""Scalings of rotary positions, for texts longer than in training.

Each lowers the frequencies of `RoPE`, and defines a factor on the rotated features. A scaling
depends on its fields only, never on the call, so that cached and new keys are rotated alike; where
a published rule depends on the length of the text, that length is a field.
"""

import math

import jax.numpy as jnp

from blocks.core.typing import Array, Float
from blocks.core.values import Value


class RoPEScaling(Value):
    """Base class for scalings: new frequencies, and a factor on the rotated features."""

    def check_fields(self) -> None:
        """Validate that all numbers are positive."""
        for name, value in vars(self).items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if number and value <= 0:
                raise ValueError(f"{name}={value} must be positive.")

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Compute the scaled frequencies for the base `theta`."""
        raise TypeError(f"{type(self).__name__} scales nothing: give it a `__call__`.")

    @property
    def magnitude(self) -> float:
        """Factor on the rotated features of queries and of keys."""
        return 1.0


class LinearScaling(RoPEScaling):
    r"""Position interpolation: all frequencies divided by one factor, $\omega_i / s$.

    Attributes:
        factor: ratio $s$ of the length of texts to that in training.

    References:
        Chen et al., Extending Context Window via Positional Interpolation, 2023, arXiv:2306.15595.
    """

    factor: float

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Divide all frequencies by the factor."""
        return frequencies / self.factor


class NTKScaling(RoPEScaling):
    r"""NTK-aware scaling: a larger base $\theta s^{n/(n-2)}$, which slows down slow pairs most.

    Attributes:
        factor: ratio $s$ of the length of texts to that in training.

    References:
        bloc97, NTK-Aware Scaled RoPE, 2023, reddit.com/r/LocalLLaMA/comments/14lz7j5.
    """

    factor: float

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Multiply pair $i$ of $p$ by $s^{-i/(p-1)}$, which is that change of base."""
        return _rebased(frequencies, self.factor)


class DynamicNTKScaling(RoPEScaling):
    r"""Dynamic NTK scaling by the length of the text: $s = f\,l/l_0 - (f - 1)$, 1 up to $l_0$.

    Other implementations take $l$ from the call, and so rotate cached keys by other angles than
    later ones; here it is a field, to be changed with `override` between texts.

    Attributes:
        factor: the factor $f$, as in a checkpoint's configuration.
        trained_length: length $l_0$ of texts in training, in tokens.
        length: length $l$ of the texts to read, in tokens.

    References:
        emozilla, Dynamically Scaled RoPE, 2023, reddit.com/r/LocalLLaMA/comments/14mrgpr.
    """

    factor: float
    trained_length: int
    length: int

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Scale as `NTKScaling` does, by the factor for the length."""
        stretch = max(self.length, self.trained_length) / self.trained_length
        return _rebased(frequencies, self.factor * stretch - (self.factor - 1.0))


class YaRN(RoPEScaling):
    r"""YaRN: slow pairs are interpolated, fast pairs unchanged, and those between blended.

    Rotated features are multiplied by $0.1 \ln s + 1$, which sharpens attention over long texts.

    Attributes:
        factor: ratio $s$ of the length of texts to that in training.
        trained_length: length of texts in training, in tokens.
        fast: number of rotations over that length above which a pair is unchanged.
        slow: number of rotations over that length below which a pair slows by the whole factor.
        growth: factor on rotated features; None takes the paper's.
        rounded: round the ends of the ramp outwards to whole pairs, as the authors' code does and
            gpt-oss does not.

    References:
        Peng et al., YaRN, 2023, arXiv:2309.00071.
    """

    factor: float
    trained_length: int
    fast: float = 32.0
    slow: float = 1.0
    growth: float | None = None
    rounded: bool = True

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Blend by a ramp over the pairs."""
        pairs = frequencies.shape[0]

        def pair(turns: float) -> float:
            wavelength = self.trained_length / (turns * 2.0 * math.pi)
            return pairs * math.log(wavelength) / math.log(theta)

        low, high = pair(self.fast), pair(self.slow)
        if self.rounded:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, 2 * pairs - 1)
        span = max(high - low, 0.001)
        slowed = jnp.clip((jnp.arange(pairs, dtype=jnp.float32) - low) / span, 0.0, 1.0)
        return frequencies * (1.0 - slowed) + frequencies / self.factor * slowed

    @property
    def magnitude(self) -> float:
        """Factor on the rotated features."""
        return 0.1 * math.log(max(self.factor, 1.0)) + 1.0 if self.growth is None else self.growth


class Llama3Scaling(RoPEScaling):
    r"""Llama 3.1's scaling: waves longer than $l_0 / a$ slow down, those below $l_0 / b$ stay.

    Attributes:
        factor: ratio of the length of texts to that in training.
        trained_length: length $l_0$ of texts in training, in tokens.
        slow: the divisor $a$; Llama 3.1 has 1.
        fast: the divisor $b$; Llama 3.1 has 4.

    Raises:
        ValueError: `slow` is not below `fast`.

    References:
        Llama Team, The Llama 3 Herd of Models, 2024, arXiv:2407.21783; the rule is in the code
        published with Llama 3.1.
    """

    factor: float
    trained_length: int
    slow: float = 1.0
    fast: float = 4.0

    def check_fields(self) -> None:
        """Validate the order of the two bounds."""
        super().check_fields()
        if self.slow >= self.fast:
            raise ValueError(f"slow={self.slow} must be below fast={self.fast}; Llama has 1 and 4.")

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Blend by the number of rotations over the trained length."""
        turns = self.trained_length * frequencies / (2.0 * math.pi)
        kept = jnp.clip((turns - self.slow) / (self.fast - self.slow), 0.0, 1.0)
        return kept * frequencies + (1.0 - kept) * frequencies / self.factor


class LongRoPE(RoPEScaling):
    r"""LongRoPE: each frequency divided by a factor of its own, which was found by search.

    Attributes:
        factors: one factor for each pair.
        growth: factor on rotated features; `LongRoPE.growth_of` computes the usual one.

    Raises:
        ValueError: a number of factors other than that of pairs.

    References:
        Ding et al., LongRoPE, 2024, arXiv:2402.13753.
    """

    factors: tuple[float, ...]
    growth: float = 1.0

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Divide each frequency by its factor."""
        if len(self.factors) != frequencies.shape[0]:
            raise ValueError(
                f"{len(self.factors)} factors do not fit {frequencies.shape[0]} turning pairs; "
                "give one for each."
            )
        return frequencies / jnp.asarray(self.factors, jnp.float32)

    @property
    def magnitude(self) -> float:
        """Factor on the rotated features."""
        return self.growth

    @staticmethod
    def growth_of(factor: float, trained_length: int) -> float:
        r"""Compute the usual growth, $\sqrt{1 + \ln s / \ln l_0}$; 1 where $s \le 1$."""
        return math.sqrt(1.0 + math.log(max(factor, 1.0)) / math.log(trained_length))


def _rebased(frequencies: Array, factor: float) -> Array:
    """Frequencies of a base that is larger by `factor ** (n / (n - 2))`."""
    pairs = frequencies.shape[0]
    exponents = jnp.arange(pairs, dtype=jnp.float32) / max(pairs - 1, 1)
    return frequencies * factor**-exponents
