"""JSON files whose first field is the SHA-256 of the rest, so that any change of them is found."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, NoReturn

from recipes.data.files import cannot_read, write_atomically
from recipes.errors import RecipeError

# Settings have a kilobyte, a published tokenizer up to a hundred megabytes.
MAX_BYTES = 190_000_000
# The line with the digest, under whatever name a damaged file has it.
_SEAL = re.compile(rb'\{\s*"[^"]*"\s*:\s*"[^"]{64}"\s*,\s')


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write readable JSON with its digest, completely or not at all.

    Raises:
        OSError: The write fails.
        ValueError: A number that is not finite, which JSON does not have.
    """
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    write_atomically(path, _sealed(text.encode()))


def read_sealed(path: Path) -> dict[str, Any]:
    """Read what `write_sealed` wrote; a file without a digest is taken as it is.

    Raises:
        RecipeError: The file is missing, too large, no JSON object, or not what was written.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise cannot_read(path, error) from error
    if len(data) > MAX_BYTES:
        raise _damaged(path, f"it has more than {MAX_BYTES:,} bytes")
    if seal := _SEAL.match(data):
        _check(path, data)
        data = b"{\n" + data[seal.end() :]
    try:
        content = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error).rstrip(".")) from error
    if not isinstance(content, dict):
        raise _damaged(path, "it holds no table of names")
    return content


def _sealed(data: bytes) -> bytes:
    digest = hashlib.sha256(data).hexdigest()
    return b'{\n  "sha256": "%s",\n%s' % (digest.encode(), data.removeprefix(b"{\n"))


def _is_intact(data: bytes) -> bool:
    seal = _SEAL.match(data)
    return seal is not None and data == _sealed(b"{\n" + data[seal.end() :])


def _check(path: Path, data: bytes) -> None:
    if _is_intact(data):
        return
    if _is_intact(data.replace(b"\r\n", b"\n")):
        raise RecipeError(
            f"{str(path)!r} has line ends that were changed to CRLF, as version control may do.",
            "Copy the run anew without that, in Git with core.autocrlf=false.",
        )
    raise RecipeError(
        f"{str(path)!r} is not what was written: its SHA-256 differs.",
        "Restore it from a copy of the run, or delete its first field to keep an edit.",
    )


def _damaged(path: Path, reason: str) -> RecipeError:
    return RecipeError(f"{str(path)!r} is damaged: {reason}.", "Restore it from a copy of the run.")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
