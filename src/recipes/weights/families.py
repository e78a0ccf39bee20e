"""Families of published models: how a configuration becomes a model, and its weights' names."""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

import recipes.architectures
from recipes.errors import RecipeError, nearest_of
from recipes.weights.config import Config
from recipes.weights.rules import Names


def token_ids(config: Config) -> tuple[Any, ...]:
    """Inputs of a language model: token ids, `[batch, seq]`."""
    return (jax.ShapeDtypeStruct((1, 2), jnp.int32),)


def source_and_target(config: Config) -> tuple[Any, ...]:
    """Inputs of an encoder-decoder: token ids of the target and of the source."""
    return token_ids(config) * 2


@dataclass(frozen=True, kw_only=True)
class Family:
    """How models of one kind are read.

    Attributes:
        build: Builds the model, as a value.
        names: Names its weights as the reference does.
        inputs: Shapes of what a call of the model takes.
        tied: Second names of tensors that a file may hold twice, each with the first name.
        buffers: Patterns of tensors that are no parameters, such as `*.rotary_emb.inv_freq`.
        aside: Patterns of parameters of other heads, which published files hold besides and the
            model has no use for; a warning names them.
        defaults: Fields that a configuration may omit, with the reference's values, where `build`
            has others.
    """

    build: Callable[[Config], nn.Module]
    names: Callable[[Config], Names]
    inputs: Callable[[Config], tuple[Any, ...]] = token_ids
    tied: Mapping[str, str] = field(default_factory=dict)
    buffers: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)


_FAMILIES: dict[str, Family] = {}
_MODULES: dict[str, str] = {}


def register(kind: str, family: Family) -> None:
    """Make a family known by the `model_type` of its configurations, or by their architecture.

    Args:
        kind: What `model_type` or `architectures` has in the configuration, such as `llama` or
            `BertForMaskedLM`. An architecture's own family goes before that of its type.
        family: The family.

    Raises:
        ValueError: The kind is known already, with another family.
    """
    if _FAMILIES.get(kind, family) != family:
        raise ValueError(f"{kind!r} is registered with another family.")
    _FAMILIES[kind] = family
    _MODULES.setdefault(kind, _running_module())


def registered() -> dict[str, str]:
    """Find all that families are registered for, each with the module that registers it."""
    _import_all()
    return dict(_MODULES)


def family_of(config: Config) -> Family:
    """Find the family of a configuration.

    Raises:
        RecipeError: An unknown type; the nearest are named.
    """
    _import_all()
    kind = config["model_type"]
    for name in (*config.get("architectures", ()), kind):
        if name in _FAMILIES:
            return _FAMILIES[name]
    architecture = " ".join(config.get("architectures", ()))
    raise RecipeError(
        f"model_type={kind!r} {architecture} is not a known family.".replace("  ", " "),
        f"Register one, or use {nearest_of(str(kind), sorted(_FAMILIES))}.",
    )


@functools.cache
def _import_all() -> None:
    for module in pkgutil.iter_modules(recipes.architectures.__path__):
        importlib.import_module(f"recipes.architectures.{module.name}")


def _running_module() -> str:
    """Name of the module whose body is running: it may register by a function of another one."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    return "" if frame is None else frame.f_globals["__name__"]
