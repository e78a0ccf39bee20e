"""Token ids on disk: encoded once, verified, and mapped into memory instead of read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from recipes.data.corpora import cache_folder
from recipes.data.corpus import Corpus, Measured
from recipes.data.encoded import EncodedText, encode_corpus, encoded_parts
from recipes.data.files import write_atomically
from recipes.data.saved_tokenizers import content_of
from recipes.data.tokenizers import Tokenizer
from recipes.errors import RecipeError

FORMAT = 1
# Smaller texts are encoded anew each time.
CACHED_CHARACTERS = 4 * 1024 * 1024
# The arrays of a cache, and their types; ids take four bytes where two do not hold them.
IDS, STARTS = "ids", "starts"


def encoded(
    corpus: Corpus,
    tokenizer: Tokenizer,
    *,
    cache_dir: Path | None = None,
    say: Callable[[str], object] = print,
) -> EncodedText:
    """Encode a corpus; a large one into files, which are used again.

    The files stand in a folder that is named by the hashes of the text and of the tokenizer. They
    are used if their sizes and hashes are those that were written; else they are written anew.

    Args:
        corpus: The text.
        tokenizer: The tokenizer.
        cache_dir: Where to keep the files; `linen-blocks` in the user's cache folder if None.
        say: Called with a line of text where something takes long or was damaged.

    Raises:
        RecipeError: Characters that the vocabulary lacks, a text that changes while it is read, or
            a folder that cannot be written.
    """
    if corpus.characters < CACHED_CHARACTERS:
        return encode_corpus(corpus, tokenizer)
    about = {
        "format": FORMAT,
        "corpus": corpus.sha256,
        "tokenizer": hashlib.sha256(json.dumps(content_of(tokenizer)).encode()).hexdigest(),
    }
    name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]
    folder = (cache_dir or cache_folder()) / "tokens" / name
    if folder.exists():
        damage = find_damage(folder, about)
        if damage is None:
            return _mapped(folder)
        say(f"The tokens kept in {str(folder)!r} are not used: {damage}. They are made anew.")
    say(f"Encoding {corpus.characters:,} characters, once, into {str(folder)!r}")
    try:
        _write(folder, about, corpus, tokenizer)
    except OSError as error:
        raise RecipeError(
            f"The encoded text cannot be kept in {str(folder)!r}: {error.strerror}.",
            "Free disk space or fix the permissions there, or point XDG_CACHE_HOME elsewhere.",
        ) from error
    return _mapped(folder)


def find_damage(folder: Path, about: dict[str, Any]) -> str | None:
    """Describe in what a cache differs from what was written; None if in nothing."""
    try:
        record = json.loads((folder / "record.json").read_bytes())
        if {name: record.get(name) for name in about} != about:
            return "they are of another text, tokenizer or version"
        for name in (IDS, STARTS):
            path, size = folder / f"{name}.bin", path_size(folder, name)
            if size != record[name]["bytes"]:
                return f"{path.name} has {size} bytes instead of {record[name]['bytes']}"
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != record[name]["sha256"]:
                    return f"{path.name} has another hash"
            np.dtype(record[name]["dtype"])
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        return f"record.json or a file that it names cannot be read ({type(error).__name__})"
    return None


def path_size(folder: Path, name: str) -> int:
    """Bytes of an array of a cache."""
    return (folder / f"{name}.bin").stat().st_size


def _mapped(folder: Path) -> EncodedText:
    record = json.loads((folder / "record.json").read_bytes())
    kinds = {name: np.dtype(record[name]["dtype"]) for name in (IDS, STARTS)}
    maps = {n: np.memmap(folder / f"{n}.bin", dtype, mode="r") for n, dtype in kinds.items()}
    return EncodedText(maps[IDS], np.asarray(maps[STARTS], np.int64))


def _write(folder: Path, about: dict[str, Any], corpus: Corpus, tokenizer: Tokenizer) -> None:
    """Write the arrays while they are made, and last their record, which makes them count."""
    record, text = dict(about), Measured(corpus.pieces())
    narrow = np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32
    folder.mkdir(parents=True, exist_ok=True)
    with _Array(folder, IDS, narrow) as ids, _Array(folder, STARTS, np.int64) as starts:
        for part, begun in encoded_parts(text, corpus.documents, tokenizer):
            ids.append(part)
            starts.append(begun)
        if text.result[0] != corpus.sha256:
            raise RecipeError(
                f"The corpus {corpus.name!r} changed while it was read.", "Start again."
            )
        record |= {IDS: ids.finish(), STARTS: starts.finish()}
    write_atomically(folder / "record.json", json.dumps(record, indent=1).encode())


class _Array(contextlib.AbstractContextManager["_Array"]):
    """A file of numbers, which takes its name once it is complete."""

    def __init__(self, folder: Path, name: str, dtype: type[np.generic]):
        self._path, self._dtype = folder / f"{name}.bin", np.dtype(dtype)
        self._digest, self._bytes = hashlib.sha256(), 0
        handle, self._temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        self._file: BinaryIO = os.fdopen(handle, "wb")

    def append(self, numbers: np.ndarray) -> None:
        data = numbers.astype(self._dtype).tobytes()
        self._file.write(data)
        self._digest.update(data)
        self._bytes += len(data)

    def finish(self) -> dict[str, Any]:
        """Give the file its name; return what the record says of it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        os.replace(self._temporary, self._path)
        dtype, digest = self._dtype.name, self._digest.hexdigest()
        return {"dtype": dtype, "bytes": self._bytes, "sha256": digest}

    def __exit__(self, *_: object) -> None:
        self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)
