"""What Flax says of parameters, caches and random keys, in words of the blocks that need them."""

import re

from flax import errors


def translate(error: Exception) -> ValueError | None:
    """The same in words of this library; None for other errors, and where Flax says it as well."""
    text = _translated(error)
    return None if text is None else ValueError(text)


def _translated(error: Exception) -> str | None:
    text = str(error)
    name = re.search(r'"(\w+)"', text)
    collection = re.search(r'collection "(\w+)"', text)
    if name is None:
        return None
    match error:
        case errors.InvalidRngError():
            stream = name[1]
            other = ", or deterministic=True" if stream == "dropout" else ""
            return (
                f"no random key for `{stream}`, which this call draws from\n"
                f'  fix:      give one, rngs={{"{stream}": key}}{other}'
            )
        case errors.ModifyScopeVariableError() if collection is not None:
            return _unreturned(collection[1])
        case errors.ScopeCollectionNotFound() if collection is not None:
            if collection[1] != "params":
                return _unreturned(collection[1])
            return (
                f"no parameter `{name[1]}`: the variables of this call hold none for this block\n"
                '  fix:      pass what init returned, or {"params": params} where you kept those'
            )
        case errors.ScopeParamNotFoundError():
            fix = "they are another model's: compare the fields of the two, or init anew"
            if name[1].startswith("lora_"):
                fix = (
                    "an adapter adds it: init the adapted block, and put the weights you have into "
                    "what that returns"
                )
            return f"no parameter `{name[1]}` among the variables of this call\n  fix:      {fix}"
    return None


def _unreturned(collection: str) -> str:
    return (
        f"this call writes the collection `{collection}`, and does not return it\n"
        f'  fix:      apply(..., mutable=["{collection}"]), which gives result and variables'
    )
