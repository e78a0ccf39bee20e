"""`Value`, the base of values in slots that are not blocks: masks, caches, kernels."""

import dataclasses
from typing import Any, dataclass_transform

from blocks.core.errors.binding import reporting
from blocks.core.fields import check_types, tupled


@dataclass_transform(frozen_default=True)
class Value:
    """Base class for frozen dataclasses by inheritance, compared and hashed by checked fields.

    A subclass declares its fields and needs no decorator. Constraints between fields go into
    `check_fields`.

    Raises:
        TypeError: a field that holds what its annotation does not allow, or cannot be hashed.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the subclass a frozen dataclass."""
        super().__init_subclass__(**options)
        if "__post_init__" in vars(cls) and not is_ours(cls):
            raise TypeError(
                f"{cls.__name__} defines `__post_init__`; define `check_fields(self)` instead, "
                "which runs once the types of the fields are checked."
            )
        reporting(dataclasses.dataclass(frozen=True)(cls))
        # Those of `Value` explain the fix, and a redundant decorator may add its own.
        del cls.__setattr__, cls.__delattr__

    def __post_init__(self) -> None:
        """Check the fields; a list becomes a tuple."""
        check_types(self, vars(self))
        for name in (field.name for field in _fields(self) if field.compare):
            object.__setattr__(self, name, tupled(getattr(self, name)))
            _check_hash(name, getattr(self, name))
        self.check_fields()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{type(self).__name__} is a value, whose `{name}` cannot be set in place; make "
            f"another with dataclasses.replace(..., {name}={value!r})."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is a value, whose `{name}` cannot be deleted.")

    def check_fields(self) -> None:
        """Raise `ValueError` where the fields do not fit together."""


def is_ours(kind: type) -> bool:
    """Return whether a class is part of this library, whose tests verify its claims."""
    return kind.__module__.startswith("blocks.")


def _fields(value: Any) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(value)


def _check_hash(name: str, value: Any) -> None:
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"field `{name}` holds a {type(value).__name__}, which cannot be hashed, as a value "
            "that is static under jit must be; hold numbers, or a tuple of them."
        ) from None
