"""Flax's errors about parameters, caches and random keys, explained for blocks."""

import contextlib
import re
from collections.abc import Iterator

from flax import errors

_TEXTS: dict[tuple[type[Exception], ...], str] = {
    (errors.InvalidRngError,): (
        "no random key for `{0}`, which this call draws from\n"
        '  fix:      give one, rngs={{"{0}": key}}, or deterministic=True'
    ),
    (errors.ScopeParamNotFoundError,): (
        "no parameter `{0}` among the variables of this call\n"
        "  fix:      they are another model's, or an adapter adds it: init this model, "
        "and put the weights you have into what that returns"
    ),
    (errors.ScopeCollectionNotFound, errors.ModifyScopeVariableError): (
        "this call writes the collection `{1}`, and does not return it\n"
        '  fix:      apply(..., mutable=["{1}"]), which gives result and variables'
    ),
}
_NO_PARAMETERS = (
    "no parameter `{0}`: the variables of this call hold none for this block\n"
    '  fix:      pass what init returned, or {{"params": params}} where you kept those'
)


@contextlib.contextmanager
def translating() -> Iterator[None]:
    """Raise `ValueError` with an explanation in the place of errors of Flax."""
    try:
        yield
        return
    except errors.FlaxError as error:
        text = next((text for kinds, text in _TEXTS.items() if isinstance(error, kinds)), None)
        names = re.findall(r'"(\w+)"', str(error))  # Flax gives the names in its message only
        if text is None or not names:
            raise
        if "{1}" in text and names[1:2] in ([], ["params"]):
            text = _NO_PARAMETERS
    raise ValueError(text.format(*names)) from None
