"""Corpora: training texts, by name or by path."""

import functools
import hashlib
import os
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from recipes.data.files import download
from recipes.errors import RecipeError, nearest_of

SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SHAKESPEARE_MAX_BYTES = 4 * 1024 * 1024  # The text has 1.1 MB.

NAMES = ("manual", "shakespeare", "stdlib")

# Tests contain broken sources and are a third of the tree; installed packages are not Python's.
_NOT_STDLIB = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test"})


@dataclass(frozen=True)
class Corpus:
    """A text with its digest.

    Attributes:
        name: The name or path it was loaded by.
        text: The text without a byte-order mark, its lines ending in LF.
    """

    name: str
    text: str = field(repr=False)

    @functools.cached_property
    def sha256(self) -> str:
        """The SHA-256 of the text in UTF-8, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def load_corpus(
    name_or_path: str, *, cache_dir: Path | None = None, shakespeare_url: str = SHAKESPEARE_URL
) -> Corpus:
    """Load a corpus by name, or the text file at a path.

    - `manual`: the reference topics that CPython's `help()` shows, sorted by topic (0.5 MB);
    - `stdlib`: the sources of the running interpreter's library without its tests, sorted by path
      (12 MB); files that cannot be read as UTF-8 text are left out;
    - `shakespeare`: Tiny Shakespeare (1.1 MB), downloaded once, verified and cached.

    The first two differ between versions of Python, hence the digest. A name wins over a file of
    the same name; `./manual` is the file. A byte-order mark is dropped and CRLF becomes LF.

    Args:
        name_or_path: One of `NAMES`, or a path (`~` is the home folder).
        cache_dir: Where downloads are kept; `linen-blocks` in the user's cache folder if None.
        shakespeare_url: Where Tiny Shakespeare is downloaded from.

    Raises:
        RecipeError: An unknown name, or a file that is missing, unreadable, a folder, empty,
            binary or not UTF-8 (with the offset of the first wrong byte).

    Example:
        >>> corpus = load_corpus("manual")
        >>> corpus.text[:22]
        'The "assert" statement'
    """
    kept_in = cache_dir or platformdirs.user_cache_path("linen-blocks")
    sources: dict[str, Callable[[], str]] = {
        "manual": _manual,
        "shakespeare": lambda: _shakespeare(kept_in, shakespeare_url),
        "stdlib": lambda: _stdlib(Path(sysconfig.get_path("stdlib"))),
    }
    source = sources.get(name_or_path, lambda: _file(name_or_path))
    return Corpus(name_or_path, source())


def _manual() -> str:
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise RecipeError(
            "This Python was packaged without pydoc_data, the text of the corpus 'manual'.",
            "Use the corpus 'stdlib' or the path of a text file.",
        ) from error
    return "\n".join(text for _, text in sorted(topics.items()))


def _stdlib(root: Path) -> str:
    paths = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _NOT_STDLIB]
        paths += [Path(folder, name) for name in files if name.endswith(".py")]
    paths.sort(key=lambda path: path.relative_to(root).parts)
    texts = []
    for path in paths:
        try:
            texts.append(_decode(path.read_bytes(), str(path)))
        except (OSError, RecipeError):
            continue
    if not texts:
        raise RecipeError(
            f"This Python keeps no source files in {str(root)!r}, where the corpus 'stdlib' is.",
            "Use the corpus 'manual' or the path of a text file.",
        )
    return "\n".join(texts)


def _shakespeare(cache_dir: Path, url: str) -> str:
    data = download(
        url,
        cache_dir / "tinyshakespeare.txt",
        sha256=SHAKESPEARE_SHA256,
        max_bytes=SHAKESPEARE_MAX_BYTES,
    )
    return _decode(data, url)


def _file(name: str) -> str:
    try:
        data = Path(os.path.expanduser(name)).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _unknown(name) from error
    except IsADirectoryError as error:
        fix = "Give the path of one text file."
        raise RecipeError(f"{name!r} is a folder, not a text file.", fix) from error
    except OSError as error:
        fix = "Give a text file that can be read."
        raise RecipeError(f"{name!r} cannot be read: {error.strerror}.", fix) from error
    return _decode(data, name)


def _unknown(name: str) -> RecipeError:
    if Path(name).suffix or Path(name).name != name:
        listed = ", ".join(map(repr, NAMES))
        return RecipeError(
            f"The file {name!r} does not exist.",
            f"Give the path of a text file, or one of the names {listed}.",
        )
    return RecipeError(
        f"{name!r} is neither a corpus nor a file.",
        f"Use {nearest_of(name, NAMES)}, or the path of a text file.",
    )


def _decode(data: bytes, name: str) -> str:
    nul = data.find(b"\0")
    if nul >= 0:
        raise RecipeError(
            f"{name!r} has a NUL byte at offset {nul}: it is binary, or text in UTF-16.",
            "Give a text file in UTF-8.",
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{name!r} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}.",
            "Convert the file to UTF-8.",
        ) from error
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not text:
        raise RecipeError(f"{name!r} is empty.", "Give a file with text in it.")
    return text
