"""What `--data` names: corpora, files, folders, patterns, the standard input, the hub."""

import glob
import hashlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recipes.data.files import write_atomically
from recipes.data.tables import hub_rows, json_lines, parquet_rows
from recipes.data.texts import Piece, text_pieces
from recipes.errors import RecipeError

TABLES = {".jsonl": json_lines, ".ndjson": json_lines, ".parquet": parquet_rows}
# What is read of a folder.
SUFFIXES = (".txt", *TABLES)
HUB, STDIN = "hf:", "-"


@dataclass(frozen=True)
class FileText:
    """Documents in a file: a text file is one, a table has one in every row.

    Attributes:
        path: The file; its suffix tells what it is.
        column: Name of the column of a table that holds the text.
    """

    path: Path
    column: str

    def __iter__(self) -> Iterator[Piece]:
        table = TABLES.get(self.path.suffix)
        try:
            if table is None:
                yield from text_pieces(self.path)
            else:
                yield from _documents(table(self.path, self.column))
        except OSError as error:
            raise _unreadable(str(self.path), error) from error


@dataclass(frozen=True)
class HubText:
    """Documents in a data set of the hub, one in every row.

    Attributes:
        name: `NAME`, `NAME:CONFIG` or `NAME:CONFIG:SPLIT`.
        column: Name of the column that holds the text.
    """

    name: str
    column: str

    def __iter__(self) -> Iterator[Piece]:
        name, config, split, *_ = (*self.name.split(":"), "", "")
        return _documents(hub_rows(name, config or None, split or "train", self.column))


def find_texts(name: str, column: str) -> list[FileText | HubText]:
    """Find the texts that a name stands for; none if it is not a file or of the hub.

    Args:
        name: A path (`~` is the home folder), a folder, a pattern, or a data set of the hub.
        column: Name of the column of tables that holds the text.

    Raises:
        RecipeError: An empty name, a folder or a pattern without texts, or a path that the system
            refuses.
    """
    if not name:
        raise RecipeError("--data has an empty name.", "Give a corpus, a file or a folder.")
    if name.startswith(HUB):
        return [HubText(name.removeprefix(HUB), column)]
    path = Path(os.path.expanduser(name))
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_folder = None
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    if is_folder is False:
        return [FileText(path, column)]
    if is_folder:
        paths = sorted(_files_below(path))
        fix = f"Give one with files that end in {', '.join(SUFFIXES)}, or a pattern: '{name}/*.md'."
        cause = f"The folder {name!r} holds no texts."
    elif glob.has_magic(name):
        found = glob.glob(os.path.expanduser(name), recursive=True)
        paths = sorted(Path(one) for one in found if os.path.isfile(one))
        cause, fix = f"No file matches {name!r}.", "Use ** for folders at any depth: 'a/**/*.txt'."
    else:
        return []
    if not paths:
        raise RecipeError(cause, fix)
    return [FileText(one, column) for one in paths]


def keep_input(kept_in: Path) -> Path:
    """Read the standard input to its end, and keep it in a file that is named by its hash.

    Raises:
        RecipeError: The standard input is a terminal or empty, or it cannot be kept.
    """
    if sys.stdin.isatty():
        raise RecipeError(
            "--data - reads the standard input, which is a terminal.", "Pipe a text in: cat a.txt |"
        )
    data = sys.stdin.buffer.read()
    if not data:
        raise RecipeError("--data - read nothing: the standard input is empty.", "Pipe a text in.")
    path = kept_in / "input" / f"{hashlib.sha256(data).hexdigest()[:16]}.txt"
    try:
        write_atomically(path, data)
    except OSError as error:
        raise RecipeError(
            f"The standard input cannot be kept in {str(path)!r}: {error.strerror}.",
            "Make that folder writable, or point XDG_CACHE_HOME to one that is.",
        ) from error
    return path


def absolute(name: str) -> str:
    """A name that stands for the same texts in every folder."""
    return name if name.startswith(HUB) else str(Path(name).expanduser().absolute())


def _files_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names = [name for name in files if not name.startswith(".")]
        yield from (Path(place, name) for name in names if name.endswith(SUFFIXES))


def _documents(texts: Iterable[str]) -> Iterator[Piece]:
    return (Piece(text.replace("\r\n", "\n"), True) for text in texts if text)


def _unreadable(name: str, error: OSError | ValueError) -> RecipeError:
    reason = error.strerror if isinstance(error, OSError) else error
    return RecipeError(f"{name!r} cannot be read: {reason}.", "Give a text file that can be read.")
