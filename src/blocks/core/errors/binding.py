"""Names of arguments and fields: refuses calls and constructors that give others, or too few."""

import functools
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from blocks.core.errors.habits import ARGUMENTS, FIELDS
from blocks.core.errors.location import Location, here
from blocks.core.errors.words import nearest

_signature = functools.cache(inspect.signature)


def bind(
    signature: inspect.Signature,
    args: tuple[Any, ...],
    given: Mapping[str, Any],
    call: str = "call it as ",
    kind: str = "argument",
    habits: Mapping[str, str] = ARGUMENTS,
) -> inspect.BoundArguments:
    """Bind the arguments, or the fields of a constructor, to their names.

    Raises:
        TypeError: too few, too many or unknown ones; the message shows how to `call` it.
    """
    try:
        return signature.bind(*args, **given)
    except TypeError as error:
        said = str(error).replace("'", "`")
    hidden = ("self", "parent", "name") if kind == "field" else ("self",)
    known = {name: p for name, p in signature.parameters.items() if name not in hidden}
    unknown = next((name for name in given if name not in signature.parameters), None)
    if unknown is not None:
        habit = f"{habits[unknown]}." if unknown in habits else nearest(unknown, known)
        raise TypeError(f"no {kind} `{unknown}`; {habit}")
    if said.startswith("missing"):
        said = f"the {kind} {said.rpartition(': ')[2]} is missing"
    elif kind == "field":
        said = "fields are given by name"
    needed = [f"{name}=..." for name, p in known.items() if p.default is p.empty]
    shown = [str(p.replace(annotation=p.empty)) for p in known.values()]
    if kind == "field":
        shown = needed or [f"{next(iter(known))}=..."]
    raise TypeError(f"{said}; {call}({', '.join(shown)}).")


def bind_fields(cls: type, args: tuple[Any, ...], fields: Mapping[str, Any]) -> None:
    """Refuse a constructor's call that misses fields, gives unknown ones, or omits their names."""
    call = f"write {cls.__name__}"
    bind(_signature(cls.__init__), (cls, *args), fields, call, "field", FIELDS)


class Reporting(type):
    """Metaclass of values other than blocks: errors of their constructors name the class.

    It wraps the call of the class, as `dataclass` writes `__init__` only after the class is made.
    """

    if not TYPE_CHECKING:  # type checkers read the signature of `__init__` instead

        def __call__(cls, *args: Any, **fields: Any) -> Any:
            """Construct a value."""
            with Location(f"{here()}{cls.__name__}"):
                bind_fields(cls, args, fields)
                return super().__call__(*args, **fields)
