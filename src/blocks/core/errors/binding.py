"""Names of arguments and fields: refuses calls and constructors that give others, or too few."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from blocks.core.errors.habits import HABITS
from blocks.core.errors.location import Location, here
from blocks.core.errors.words import nearest

T = TypeVar("T")


def bind(
    signature: inspect.Signature, args: tuple[Any, ...], given: Mapping[str, Any], made: str = ""
) -> inspect.BoundArguments:
    """Bind arguments to their names, or fields where the call has `made` a value of that class.

    Raises:
        TypeError: too few, too many or unknown ones; the message shows how to call it.
    """
    try:
        return signature.bind(*args, **given)
    except TypeError as error:
        said = str(error).replace("'", "`")
    kind, hidden = ("field", ("self", "parent", "name")) if made else ("argument", ("self",))
    known = {name: p for name, p in signature.parameters.items() if name not in hidden}
    for name in given:
        if name not in signature.parameters:
            habit = f"{HABITS[name]}." if name in HABITS else nearest(name, known)
            raise TypeError(f"no {kind} `{name}`; {habit}")
    if said.startswith("missing"):
        said = f"the {kind} {said.rpartition(': ')[2]} is missing"
    elif made:
        said = "fields are given by name"
    needed = [name for name, p in known.items() if p.default is p.empty] or [*known][:1]
    shown = [f"{name}=..." for name in needed]
    if not made:
        shown = [str(p.replace(annotation=p.empty)) for p in known.values()]
    raise TypeError(f"{said}; {f'write {made}' if made else 'call it as '}({', '.join(shown)}).")


def reporting(cls: type[T]) -> type[T]:
    """Decorate a class so that its constructor checks names of fields, and its errors name it."""
    written: Any = cls.__init__
    signature = inspect.signature(written)

    @functools.wraps(written)
    def init(self: Any, *args: Any, **fields: Any) -> None:
        name = type(self).__name__
        with Location(f"{here()}{name}"):
            bind(signature, (self, *args), fields, name)
            written(self, *args, **fields)

    cls.__init__ = init
    return cls
