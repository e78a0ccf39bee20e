"""`Block`, the base of every block: a value whose slots hold their own copies.

Linen ties the weights of a module instance that stands in two places, in silence; a default field
value, `(block,) * n` and `template.clone()` all do. A `Block` copies what is put in its slots, so
that two places are two sets of weights, whatever way the model was written.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import flax.linen as nn
import jax
from flax.errors import ScopeParamShapeError

from blocks.core.errors.location import running, where
from blocks.core.errors.making import blame
from blocks.core.errors.starting import check_key, check_variables, starting
from blocks.core.fields import check_types, shown

M = TypeVar("M", bound=nn.Module)


class Block(nn.Module, kw_only=True):
    """A Linen module that is a value: it checks its fields and owns copies of its parts."""

    apply = starting(check_variables, nn.Module.apply)
    init = starting(check_key, nn.Module.init)
    init_with_output = starting(check_key, nn.Module.init_with_output)

    def __init_subclass__(cls, **options: Any) -> None:
        """Mends two things of the class that Linen has just made.

        Default parts leave the class, where the NNX bridge takes them for methods; and what
        `__init__` refuses is reported in words of the class.
        """
        super().__init_subclass__(**options)
        for field in dataclasses.fields(cls):
            if isinstance(vars(cls).get(field.name), nn.Module):
                delattr(cls, field.name)
        written = cls.__init__

        @functools.wraps(written)
        def init(self: Any, *args: Any, **fields: Any) -> None:
            try:
                written(self, *args, **fields)
            except Exception as error:
                blame(error, type(self), args, fields)
                raise

        cls.__init__ = init

    def __post_init__(self) -> None:
        """Copies the parts, then checks the fields; Linen calls this again on every clone."""
        for name, value in fields_of(self).items():
            copied = map_modules(value, lambda m: fresh(m) if m.parent is None else m)
            if copied is not value:
                object.__setattr__(self, name, copied)
        check_types(self, fields_of(self))
        self.check_fields()
        super().__post_init__()

    def __repr__(self) -> str:
        """The expression that builds the block, without what is left at its default."""
        parts = [
            f"{field.name}={_show(getattr(self, field.name))}"
            for field in dataclasses.fields(self)
            if field.name in fields_of(self) and getattr(self, field.name) != _default(field)
        ]
        line = f"{type(self).__name__}({', '.join(parts)})"
        if len(line) <= 80 and "\n" not in line:
            return line
        indented = "".join(f"    {part},\n" for part in (p.replace("\n", "\n    ") for p in parts))
        return f"{type(self).__name__}(\n{indented})"

    @property
    def sees_ahead(self) -> bool:
        """Whether a token's result may depend on tokens after it; blocks that mix tokens say so."""
        return False

    def check_fields(self) -> None:
        """Raises `ValueError` where fields contradict each other; overridden by blocks."""

    def param(self, name: str, init_fn: Any, *init_args: Any, **kwargs: Any) -> Any:
        """Makes or finds a parameter, as in Linen.

        Raises:
            TypeError: there is one, of another shape than the input asks for.
        """
        try:
            return super().param(name, init_fn, *init_args, **kwargs)
        except ScopeParamShapeError:
            there = self.get_variable("params", name)
            asked = jax.eval_shape(lambda key: init_fn(key, *init_args), jax.random.key(0))
        call = running.get()
        args = call.args[1:] if call is not None and call.module is self else ()
        given = f"{shown(args[0])}, which asks" if args else "an input that asks"
        raise TypeError(
            f"{where(self)}: argument `{next(iter(inspect.signature(self.__call__).parameters))}` "
            f"does not fit the parameter `{name}`\n"
            f"  expected: an input for {name} of shape {there.shape}, as it was made\n"
            f"  actual:   {given} for {name} of shape {asked.shape}"
        )


def _default(field: dataclasses.Field) -> Any:
    factory = field.default_factory
    return field.default if factory is dataclasses.MISSING else factory()


def _show(value: Any) -> str:
    """A field's value as one would write it: functions and types by their name."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        shown = ", ".join(_show(item) for item in value)
        return f"[{shown}]" if isinstance(value, list) else f"({shown}{',' * (len(value) == 1)})"
    return getattr(value, "__name__", None) or repr(value)


def fields_of(module: nn.Module) -> dict[str, Any]:
    """The constructor's fields by name, without Linen's own `parent` and `name`."""
    return {
        field.name: getattr(module, field.name)
        for field in dataclasses.fields(module)
        if field.init and field.name not in ("parent", "name")
    }


def map_modules(value: Any, function: Callable[[nn.Module], Any]) -> Any:
    """Applies `function` to the modules in a field's value: one, or a container of them."""
    if isinstance(value, nn.Module):
        return function(value)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        mapped = [map_modules(item, function) for item in value]
        changed = any(new is not old for new, old in zip(mapped, value, strict=True))
        return type(value)(mapped) if changed else value
    if isinstance(value, dict):
        mapped = {key: map_modules(item, function) for key, item in value.items()}
        return mapped if any(mapped[key] is not value[key] for key in value) else value
    return value


def modules_in(value: Any, path: str) -> Iterator[tuple[str, nn.Module]]:
    """The modules in a field's value, each with its path, as `block_0` in a tuple `block`."""
    if isinstance(value, nn.Module):
        yield path, value
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from modules_in(item, f"{path}_{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from modules_in(item, f"{path}_{key}")


def fresh(template: M, **overrides: Any) -> M:
    """Builds the same block anew, with weights of its own wherever it is used.

    Without `name` the copy is free-standing; with it, it becomes that child of the block whose
    method is running. Unlike `template.clone()` it shares nothing with the template.
    """
    fields = {
        name: map_modules(value, lambda module: fresh(module))
        for name, value in fields_of(template).items()
    }
    if "name" not in overrides:
        overrides["parent"] = None
    return type(template)(**{**fields, **overrides})
