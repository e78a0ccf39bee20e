"""Scalings of rotary positions: how a model reads texts longer than it was trained on.

Each maps the frequencies that `RoPE` turns by to slower ones, and says by how much the turned
features grow. A scaling depends on fields alone, never on the call, so that keys in a cache and
keys that come later are turned alike; where a published rule depends on the length of the text,
that length is a field.
"""

import dataclasses
import math

import jax.numpy as jnp

from blocks.core.errors.making import Reporting
from blocks.core.fields import check_types
from blocks.core.typing import Array, Float


class RoPEScaling(metaclass=Reporting):
    """What a scaling is: new frequencies from old ones, and a factor on what is turned."""

    def __post_init__(self) -> None:
        """Checks the fields: numbers above zero."""
        check_types(self, vars(self))
        for name, value in vars(self).items():
            if isinstance(value, (int, float)) and value <= 0:
                raise ValueError(f"{name}={value} must be positive.")

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """The frequencies to turn by, from those of a base `theta`."""
        raise TypeError(f"{type(self).__name__} scales nothing: give it a `__call__`.")

    @property
    def magnitude(self) -> float:
        """What turned features of queries and of keys are multiplied with."""
        return 1.0


@dataclasses.dataclass(frozen=True)
class LinearScaling(RoPEScaling):
    r"""Squeezes positions: $\omega_i / s$.

    Attributes:
        factor: how many times longer $s$ texts are than in training.

    References:
        Chen et al., Extending Context Window via Positional Interpolation, 2023, arXiv:2306.15595.
    """

    factor: float

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Divides all alike."""
        return frequencies / self.factor


@dataclasses.dataclass(frozen=True)
class NTKScaling(RoPEScaling):
    r"""Raises the base: $\theta s^{n/(n-2)}$, so that slow pairs slow down and fast ones hardly do.

    Attributes:
        factor: how many times longer $s$ texts are than in training.

    References:
        bloc97, NTK-Aware Scaled RoPE, 2023, reddit.com/r/LocalLLaMA/comments/14lz7j5.
    """

    factor: float

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Multiplies pair $i$ of $p$ by $s^{-i/(p-1)}$, which is that change of base."""
        return _rebased(frequencies, self.factor)


@dataclasses.dataclass(frozen=True)
class DynamicNTKScaling(RoPEScaling):
    r"""Raises the base with the length of the text: $s = f\,l/l_0 - (f - 1)$, 1 up to $l_0$.

    Implementations elsewhere take $l$ from the call, and so turn cached keys by other angles than
    later ones; here it is a field, to be changed with `override` between texts.

    Attributes:
        factor: $f$, as in a checkpoint's configuration.
        trained_length: $l_0$, tokens of the texts in training.
        length: $l$, tokens of the texts to read.

    References:
        emozilla, Dynamically Scaled RoPE, 2023, reddit.com/r/LocalLLaMA/comments/14mrgpr.
    """

    factor: float
    trained_length: int
    length: int

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """As `NTKScaling`, by the factor that the length asks for."""
        stretch = max(self.length, self.trained_length) / self.trained_length
        return _rebased(frequencies, self.factor * stretch - (self.factor - 1.0))


@dataclasses.dataclass(frozen=True)
class YaRN(RoPEScaling):
    r"""Slows pairs that turn less than once in training, leaves fast ones, and blends between.

    Turned features grow by $0.1 \ln s + 1$, which sharpens attention over long texts.

    Attributes:
        factor: how many times longer $s$ texts are than in training.
        trained_length: tokens of the texts in training.
        fast: turns in training above which a pair is left alone.
        slow: turns in training below which a pair slows by the whole factor.
        growth: of turned features; None takes the paper's.

    References:
        Peng et al., YaRN, 2023, arXiv:2309.00071.
    """

    factor: float
    trained_length: int
    fast: float = 32.0
    slow: float = 1.0
    growth: float | None = None

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Blends by a ramp over the pairs, whose ends are rounded outwards as in published code."""
        pairs = frequencies.shape[0]

        def pair(turns: float) -> float:
            wavelength = self.trained_length / (turns * 2.0 * math.pi)
            return pairs * math.log(wavelength) / math.log(theta)

        low = max(math.floor(pair(self.fast)), 0)
        high = min(math.ceil(pair(self.slow)), 2 * pairs - 1)
        span = max(high - low, 0.001)
        slowed = jnp.clip((jnp.arange(pairs, dtype=jnp.float32) - low) / span, 0.0, 1.0)
        return frequencies * (1.0 - slowed) + frequencies / self.factor * slowed

    @property
    def magnitude(self) -> float:
        """The growth."""
        return 0.1 * math.log(max(self.factor, 1.0)) + 1.0 if self.growth is None else self.growth


@dataclasses.dataclass(frozen=True)
class Llama3Scaling(RoPEScaling):
    r"""Slows wavelengths longer than $l_0 / a$, leaves those shorter than $l_0 / b$, and blends.

    Attributes:
        factor: how many times longer texts are than in training.
        trained_length: $l_0$, tokens of the texts in training.
        slow: $a$; Llama 3.1 has 1.
        fast: $b$; Llama 3.1 has 4.

    Raises:
        ValueError: bounds that are equal or crossed.

    References:
        Llama Team, The Llama 3 Herd of Models, 2024, arXiv:2407.21783; the rule is in the code
        published with Llama 3.1.
    """

    factor: float
    trained_length: int
    slow: float = 1.0
    fast: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.slow >= self.fast:
            raise ValueError(f"slow={self.slow} must be below fast={self.fast}; Llama has 1 and 4.")

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Blends by how often a pair turns in training."""
        turns = self.trained_length * frequencies / (2.0 * math.pi)
        kept = jnp.clip((turns - self.slow) / (self.fast - self.slow), 0.0, 1.0)
        return kept * frequencies + (1.0 - kept) * frequencies / self.factor


@dataclasses.dataclass(frozen=True)
class LongRoPE(RoPEScaling):
    r"""Divides each frequency by a factor of its own, found by search and kept in a checkpoint.

    Attributes:
        factors: one for each pair.
        growth: of turned features; `LongRoPE.growth_of` gives the usual.

    Raises:
        ValueError: factors that are not as many as the pairs.

    References:
        Ding et al., LongRoPE, 2024, arXiv:2402.13753.
    """

    factors: tuple[float, ...]
    growth: float = 1.0

    def __call__(self, frequencies: Float[Array, "pairs"], theta: float) -> Float[Array, "pairs"]:
        """Divides one by one."""
        if len(self.factors) != frequencies.shape[0]:
            raise ValueError(
                f"{len(self.factors)} factors do not fit {frequencies.shape[0]} turning pairs; "
                "give one for each."
            )
        return frequencies / jnp.asarray(self.factors, jnp.float32)

    @property
    def magnitude(self) -> float:
        """The growth."""
        return self.growth

    @staticmethod
    def growth_of(factor: float, trained_length: int) -> float:
        r"""The growth of published models, $\sqrt{1 + \ln s / \ln l_0}$; 1 where $s \le 1$."""
        return math.sqrt(1.0 + math.log(max(factor, 1.0)) / math.log(trained_length))


def _rebased(frequencies: Array, factor: float) -> Array:
    """The frequencies of a base that is greater by `factor ** (n / (n - 2))`."""
    pairs = frequencies.shape[0]
    exponents = jnp.arange(pairs, dtype=jnp.float32) / max(pairs - 1, 1)
    return frequencies * factor**-exponents
