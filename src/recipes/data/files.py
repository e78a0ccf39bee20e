"""Files that are complete or absent: atomic writes and verified downloads."""

import contextlib
import hashlib
import os
import queue
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from recipes.errors import RecipeError

_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write CRLF


def cannot_read(path: Path | str, error: OSError) -> RecipeError:
    """The error for a file of a run that cannot be read; another user's file is not damaged."""
    fix = "Restore it from a copy of the run."
    if isinstance(error, PermissionError):
        fix = "Have its owner give you the right to read the run, with chmod -R a+rX."
    return RecipeError(f"{str(error.filename or path)!r} cannot be read: {error.strerror}.", fix)


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file as `opened_atomically` does.

    Args:
        path: The file.
        data: Its new content.
        durable: Whether to wait until the bytes are on the disk, which survives a loss of power.

    Raises:
        OSError: The folder cannot be written; nothing is left behind.
    """
    with opened_atomically(path, durable=durable) as file:
        file.write(data)


@contextlib.contextmanager
def opened_atomically(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a file to be written atomically: its name has the old content or the new, never a part.

    The bytes go to a temporary file in the same folder, reach the disk, and take the name in one
    rename when the context ends. Missing folders are made.

    Args:
        path: The file.
        durable: Whether to wait until the bytes are on the disk, which survives a loss of power.

    Raises:
        OSError: The folder cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile's, whose files no other user may read, whatever the umask.
    temporary = path.parent / f".writing-{secrets.token_hex(8)}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def download(
    url: str,
    path: Path,
    *,
    sha256: str,
    max_bytes: int,
    timeout: float = 30.0,
    patience: float = 600.0,
) -> bytes:
    """Download the bytes at `url` to `path` after verifying their SHA-256.

    A file that is already there and has the right hash is read instead; one that was damaged is
    replaced. Bytes with another hash never reach the disk.

    Args:
        url: Address of the bytes; redirects are followed, loops of them are not.
        path: The file that keeps them.
        sha256: Their digest in hexadecimal.
        max_bytes: Maximum size; more is refused.
        timeout: Seconds to wait for the server to connect or to send something.
        patience: Seconds that the whole may take.

    Raises:
        RecipeError: No connection, a loop of redirects, too many bytes, too long a wait, another
            hash, or a cache that cannot be written.
    """
    with contextlib.suppress(OSError):
        kept = path.read_bytes()
        if hashlib.sha256(kept).hexdigest() == sha256:
            return kept
    data = _fetch(url, max_bytes, timeout, patience)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise RecipeError(
            f"The {len(data)} bytes from {url} have SHA-256 {found} instead of {sha256}.",
            "Try again; if it persists, the file changed or something between alters it.",
        )
    try:
        write_atomically(path, data)
    except OSError as error:
        raise RecipeError(
            f"The download cannot be kept in {str(path)!r}: {error.strerror}.",
            "Make that folder writable, or point XDG_CACHE_HOME to one that is.",
        ) from error
    return data


def _fetch(url: str, max_bytes: int, timeout: float, patience: float) -> bytes:
    """Read the bytes at an address, in a thread that is left alone when it takes too long.

    A server that sends one byte a second never lets a read time out, nor the reading of headers.
    """
    # Imported here: with the encryption that it loads, it takes a tenth of the time of `--help`.
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    results: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            with urllib.request.urlopen(url, timeout=timeout) as response:
                results.put(response.read(max_bytes + 1))
        except Exception as error:  # raised where it is waited for
            results.put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        found = results.get(timeout=patience)
    except queue.Empty:
        found = TimeoutError(f"it took more than {patience:g} seconds")
    if isinstance(found, OSError | HTTPException | ValueError):
        if isinstance(found, urllib.error.HTTPError):
            found.close()
        said = found.reason if type(found) is urllib.error.URLError else found
        reason = " ".join(str(said).split()).rstrip(".")
        raise RecipeError(
            f"Downloading {url} failed: {reason}.",
            "Check the connection, or download the file by other means and give its path.",
        ) from found
    if isinstance(found, Exception):
        raise found
    if len(found) > max_bytes:
        raise RecipeError(
            f"{url} sends more than the {max_bytes} bytes that were expected.",
            "Download the file by other means and give its path.",
        )
    return found
