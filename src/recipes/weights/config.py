"""`Config`: a published configuration, read strictly."""

from collections.abc import Mapping
from typing import Any

from recipes.errors import RecipeError
from recipes.weights.harmless import HARMLESS

_REQUIRED: Any = object()


class Config:
    """Fields of a `config.json`, which remembers those that were read.

    A field that nobody read and that is not known to be harmless is an error: a model that ignores
    it would compute something else.

    Attributes:
        fields: The fields as they stand in the file.
        path: Where they stand in it, for messages: empty, or such as `text_config.`.
    """

    def __init__(self, fields: Mapping[str, Any], path: str = "") -> None:
        self.fields = dict(fields)
        self.path = path
        self._read: set[str] = set()
        self._parts: dict[str, Config] = {}

    def __contains__(self, name: str) -> bool:
        return self.fields.get(name) is not None

    def __getitem__(self, name: str) -> Any:
        self._read.add(name)
        if self.fields.get(name) is None:
            raise RecipeError(
                f"config.json has no field `{self.path}{name}`.",
                "Get the file again, or write the field.",
            )
        return self.fields[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Read a field that may be missing or null, which both mean the default."""
        self._read.add(name)
        value = self.fields.get(name)
        return default if value is None else value

    def only(self, name: str, *allowed: Any, default: Any = _REQUIRED) -> Any:
        """Read a field that may have these values only; missing, it has the first.

        Raises:
            RecipeError: Another value, which this library has no part for yet.
        """
        value = self.get(name, allowed[0] if default is _REQUIRED else default)
        if value not in allowed:
            raise RecipeError(
                f"config.json has `{self.path}{name}`={value!r}, which is not supported.",
                f"Supported: {', '.join(map(repr, allowed))}.",
            )
        return value

    def ignore(self, *names: str) -> None:
        """Mark fields that change nothing in this family."""
        self._read.update(names)

    def fill(self, defaults: Mapping[str, Any]) -> None:
        """Add fields that are missing; one that is null stays so."""
        self.ignore(*(name for name in defaults if name not in self.fields))
        self.fields = {**defaults, **self.fields}

    def changed(self, fields: Mapping[str, Any]) -> "Config":
        """Make a configuration of other fields; what is read of it counts as read of this one."""
        other = Config(fields, self.path)
        other._read, other._parts = self._read, self._parts
        return other

    def part(self, name: str) -> "Config":
        """Read a field that holds fields, such as `text_config`."""
        fields = self[name]
        if not isinstance(fields, Mapping):
            raise RecipeError(
                f"config.json has `{self.path}{name}`={fields!r}, which must hold fields.",
                "Get the file again.",
            )
        if name not in self._parts or self._parts[name].fields != fields:
            self._parts[name] = Config(fields, f"{self.path}{name}.")
        return self._parts[name]

    def finish(self) -> None:
        """Refuse fields that nobody read.

        Raises:
            RecipeError: Names the fields.
        """
        for part in self._parts.values():
            part.finish()
        unread = [
            f"`{self.path}{name}`={self.fields[name]!r}"
            for name in sorted(set(self.fields) - self._read - HARMLESS)
            if self.fields[name] is not None
        ]
        if unread:
            raise RecipeError(
                f"config.json has {', '.join(unread)}, which this family does not read.",
                "Remove what has no effect on the model; else it cannot be loaded yet.",
            )
