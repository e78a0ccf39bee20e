"""Flax's errors about parameters, caches and random keys, explained for blocks."""

import contextlib
import re
from collections.abc import Iterator

from flax import errors

_PARAMETER = (
    "no parameter `{0}` among the variables of this call\n"
    '  fix:      pass what init of this model returned, or {{"params": params}} where you kept '
    "those; an adapter has parameters of its own"
)
_COLLECTION = (
    "this call writes the collection `{1}`, and does not return it\n"
    '  fix:      apply(..., mutable=["{1}"]), which gives result and variables'
)
_TEXTS: dict[type[Exception], str] = {
    errors.InvalidRngError: (
        "no random key for `{0}`, which this call draws from\n"
        '  fix:      give one, rngs={{"{0}": key}}, or deterministic=True'
    ),
    errors.ScopeParamNotFoundError: _PARAMETER,
    errors.ScopeCollectionNotFound: _COLLECTION,
    errors.ModifyScopeVariableError: _COLLECTION,
}


@contextlib.contextmanager
def translating() -> Iterator[None]:
    """Raise `ValueError` with an explanation in the place of errors of Flax."""
    try:
        yield
        return
    except errors.FlaxError as error:
        text = _TEXTS.get(type(error))
        names = re.findall(r'"(\w+)"', str(error))  # Flax gives the names in its message only
        if text is None or not names:
            raise
        if "params" in names[1:2]:
            text = _PARAMETER
    raise ValueError(text.format(*names)) from None
