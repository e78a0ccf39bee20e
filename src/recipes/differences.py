"""Differences between two sets of settings."""

from typing import Any


def differences(
    one: dict[str, Any],
    two: dict[str, Any],
    where: tuple[str, str] = ("in the run", "now"),
    prefix: str = "",
) -> list[str]:
    """Describe the settings in which two sets differ, by their full names.

    Args:
        one: Settings, of which some hold others.
        two: Settings to compare with.
        where: Where each of the two is found.
        prefix: Start of the names.

    Example:
        >>> differences({"model": {"features": 64}}, {"model": {"features": 96}})
        ['model.features is 64 in the run and 96 now']
    """
    found = []
    for name in {**one, **two}:
        old, new = one.get(name, "absent"), two.get(name, "absent")
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, where, f"{prefix}{name}.")
        elif old != new:
            found.append(f"{prefix}{name} is {old} {where[0]} and {new} {where[1]}")
    return found
