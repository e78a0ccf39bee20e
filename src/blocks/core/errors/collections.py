"""Flax's errors about parameters, caches and random keys, explained for blocks."""

import re

from flax import errors


def translate(error: Exception) -> ValueError | None:
    """Explain an error of Flax; None for other errors."""
    quoted = re.findall(r'"(\w+)"', str(error))  # Flax gives the names in its message only
    text = _translated(error, *quoted) if quoted else None
    return None if text is None else ValueError(text)


def _translated(error: Exception, name: str, collection: str = "params", *_: str) -> str | None:
    match error:
        case errors.InvalidRngError():
            other = ", or deterministic=True" if name == "dropout" else ""
            return (
                f"no random key for `{name}`, which this call draws from\n"
                f'  fix:      give one, rngs={{"{name}": key}}{other}'
            )
        case errors.ModifyScopeVariableError() | errors.ScopeCollectionNotFound():
            if collection != "params":
                return (
                    f"this call writes the collection `{collection}`, and does not return it\n"
                    f'  fix:      apply(..., mutable=["{collection}"]), which gives result and '
                    "variables"
                )
            return (
                f"no parameter `{name}`: the variables of this call hold none for this block\n"
                '  fix:      pass what init returned, or {"params": params} where you kept those'
            )
        case errors.ScopeParamNotFoundError():
            return (
                f"no parameter `{name}` among the variables of this call\n"
                "  fix:      they are another model's, or an adapter adds it: init this model, "
                "and put the weights you have into what that returns"
            )
    return None
