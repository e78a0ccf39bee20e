"""Corpora: training texts, by name or by path."""

import os
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import platformdirs

from recipes.data.corpus import Chained, Corpus, corpus_of
from recipes.data.files import download
from recipes.data.sources import STDIN, absolute, find_texts, keep_input
from recipes.data.texts import Piece, text_pieces
from recipes.errors import RecipeError, nearest_of

SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
SHAKESPEARE_MAX_BYTES = 4 * 1024 * 1024  # The text has 1.1 MB.

NAMES = ("manual", "shakespeare", "stdlib")
# Those that differ between versions of Python.
OF_PYTHON = ("manual", "stdlib")

# Tests contain broken sources and are a third of the tree; installed packages are not Python's.
_NOT_STDLIB = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test"})


def load_corpus(
    *names: str,
    weights: Sequence[float] = (),
    validation: Sequence[str] = (),
    text_column: str = "text",
    cache_dir: Path | None = None,
    shakespeare_url: str = SHAKESPEARE_URL,
) -> Corpus:
    """Load corpora by name, or the texts in files, folders and data sets.

    - `manual`: the reference topics that CPython's `help()` shows, sorted by topic (0.5 MB);
    - `stdlib`: the sources of the running interpreter's library without its tests, sorted by path
      (12 MB); files that cannot be read as UTF-8 text are left out;
    - `shakespeare`: Tiny Shakespeare (1.1 MB), downloaded once, verified and cached;
    - a text file, one of JSON lines (`.jsonl`) or a Parquet file, which have a document in every
      row; a folder of these, or a pattern such as `texts/**/*.md`;
    - `hf:NAME[:CONFIG[:SPLIT]]`: a data set of the Hugging Face hub.

    The first two differ between versions of Python, hence the digest. A name wins over a file of
    the same name; `./manual` is the file. A byte-order mark is dropped and CRLF becomes LF. What
    is larger than memory should be is read again each time that it is needed.

    Args:
        *names: Each one of `NAMES`, or a path (`~` is the home folder).
        weights: One for each name, to train on them in these proportions; without, all tokens
            count alike.
        validation: Names of the text to validate on, in the same way.
        text_column: Name of the column of tables that holds the text.
        cache_dir: Where downloads are kept; `linen-blocks` in the user's cache folder if None.
        shakespeare_url: Where Tiny Shakespeare is downloaded from.

    Raises:
        RecipeError: An unknown name, or a file that is missing, unreadable, empty, binary or not
            UTF-8 (with the offset of the first wrong byte), or a table without that column.

    Example:
        >>> corpus = load_corpus("manual")
        >>> corpus.text[:22]
        'The "assert" statement'
    """
    kept_in = cache_dir or cache_folder()
    named: dict[str, Callable[[], str]] = {
        "manual": _manual,
        "shakespeare": lambda: _shakespeare(kept_in, shakespeare_url),
        "stdlib": lambda: _stdlib(Path(sysconfig.get_path("stdlib"))),
    }
    held_out = load_corpus(*validation, text_column=text_column) if validation else None
    if len(names) == 1 and names[0] in named:
        return Corpus(names[0], named[names[0]](), held_out)
    sources: list[Iterable[Piece]] = []
    for name in names:
        if name in named:
            sources.append((Piece(named[name](), True),))
        elif found := find_texts(name, text_column):
            sources.append(Chained(tuple(found)))
        else:
            raise _unknown(name)
    shares = tuple(weights) if len(names) > 1 else ()
    return corpus_of(", ".join(names), Chained(tuple(sources)), held_out, shares)


def with_input(name: str) -> str:
    """Keep the standard input in a file, whose path replaces `-`; other names stay.

    Raises:
        RecipeError: The standard input is a terminal, or it cannot be kept.
    """
    return str(keep_input(cache_folder())) if name == STDIN else name


def anywhere(name: str) -> str:
    """Make a path absolute, so that a run finds its text again from any folder."""
    return name if name in NAMES else absolute(name)


def cache_folder() -> Path:
    """Folder of downloads and of encoded texts, in the user's cache folder."""
    return platformdirs.user_cache_path("linen-blocks")


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
            text = "".join(piece.text for piece in text_pieces(path))
        except (OSError, RecipeError):
            continue
        if text:
            texts.append(text)
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
    return data.decode().removeprefix("\ufeff").replace("\r\n", "\n")


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
