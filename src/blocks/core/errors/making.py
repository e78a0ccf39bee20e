"""What is refused when a value is made: it names the class, and ends in the line that makes it."""

import dataclasses
from typing import TYPE_CHECKING, Any

from blocks.core.errors.habits import FIELDS
from blocks.core.errors.location import here, report
from blocks.core.errors.words import nearest


def blame(error: Exception, cls: type, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
    """Names `cls` in what it refused when it was made, and ends the traceback where that was."""
    text = _misnamed(cls, args, fields) if isinstance(error, TypeError) else None
    report(error, f"{here()}{cls.__name__}", instead=text)


class Reporting(type):
    """The class of values that are no blocks: what they refuse when made names them.

    It acts around `__init__`, which `dataclass` writes only after the class is made.
    """

    if not TYPE_CHECKING:  # checkers read the signature of `__init__` instead

        def __call__(cls, *args: Any, **fields: Any) -> Any:
            """Makes a value."""
            try:
                return super().__call__(*args, **fields)
            except Exception as error:
                blame(error, cls, args, fields)
                raise


def _misnamed(cls: type, args: tuple[Any, ...], given: dict[str, Any]) -> str | None:
    """Fields that there are not, that are missing, or that have no name; None where all is well."""
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
