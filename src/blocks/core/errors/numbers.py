"""Numbers that a message offers instead of one that does not fit."""


def divisors(number: int) -> str:
    """The divisors of a number, as a sentence lists them."""
    found = [str(d) for d in range(1, number + 1) if number % d == 0]
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"
