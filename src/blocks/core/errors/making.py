"""Errors of constructors: they name the class, and end in the line that constructs the value."""

import dataclasses
from typing import TYPE_CHECKING, Any

from blocks.core.errors.habits import FIELDS
from blocks.core.errors.location import here, report
from blocks.core.errors.words import nearest


def blame(error: Exception, cls: type, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
    """Name `cls` in an error of its constructor, and end the traceback in the calling line."""
    text = _misnamed(cls, args, fields) if isinstance(error, TypeError) else None
    report(error, f"{here()}{cls.__name__}", instead=text)


class Reporting(type):
    """Metaclass of values other than blocks: errors of their constructors name the class.

    It wraps the call of the class, as `dataclass` writes `__init__` only after the class is made.
    """

    if not TYPE_CHECKING:  # type checkers read the signature of `__init__` instead

        def __call__(cls, *args: Any, **fields: Any) -> Any:
            """Construct a value."""
            try:
                return super().__call__(*args, **fields)
            except Exception as error:
                blame(error, cls, args, fields)
                raise


def _misnamed(cls: type, args: tuple[Any, ...], given: dict[str, Any]) -> str | None:
    """Describe unknown, missing or positional fields; None if there are none."""
    if not dataclasses.is_dataclass(cls):
        return None
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    own = [name for name in fields if name not in ("parent", "name")]
    placed = [name for name in own if not fields[name].kw_only]
    unknown = next((name for name in given if name not in fields), None)
    if unknown is not None:
        hint = f"{FIELDS[unknown]}." if unknown in FIELDS else nearest(unknown, own)
        return f"no field `{unknown}`; {hint}"
    if len(args) > len(placed):
        first = [name for name in own if _needed(fields[name])] or own[:1]
        fix = f"{cls.__name__}({', '.join(f'{name}=...' for name in first)})"
        return f"fields are given by name; write {fix}."
    given_names = {*given, *placed[: len(args)]}
    missing = next((n for n in own if _needed(fields[n]) and n not in given_names), None)
    return missing and f"the field `{missing}` is missing; write {cls.__name__}({missing}=...)."


def _needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
