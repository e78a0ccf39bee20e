"""Text files, read in pieces of whole lines."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from recipes.errors import RecipeError

# Bytes of a text file that are read at a time.
BLOCK = 8 * 1024 * 1024


class Piece(NamedTuple):
    """Part of a document.

    Attributes:
        text: The text, with lines that end in LF.
        ends: Whether the document ends with it.
    """

    text: str
    ends: bool


def text_pieces(path: Path, block: int = BLOCK) -> Iterator[Piece]:
    """Read a text file in UTF-8 in pieces of whole lines, without a byte-order mark.

    Raises:
        RecipeError: A NUL byte or invalid UTF-8, with its offset.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, held, begun = 0, "", False
    with path.open("rb") as file:
        while True:
            data = file.read(block)
            if (nul := data.find(b"\0")) >= 0:
                raise RecipeError(
                    f"{str(path)!r} has a NUL byte at offset {offset + nul}: it is binary, or text "
                    "in UTF-16.",
                    "Give a text file in UTF-8.",
                )
            try:
                new = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                # The decoder puts what it held back before the new bytes.
                at = offset - (len(error.object) - len(data)) + error.start
                raise RecipeError(
                    f"{str(path)!r} is not UTF-8: byte 0x{error.object[error.start]:02x} at "
                    f"offset {at}.",
                    "Convert the file to UTF-8.",
                ) from error
            if not begun and new:
                new, begun = new.removeprefix("\ufeff"), True
            if not data:
                yield Piece(held.replace("\r\n", "\n"), True)
                return
            offset += len(data)
            lines, end, rest = (held + new).rpartition("\n")
            if not lines and len(rest) >= block:
                # A line without an end; a CR waits for the LF that may follow.
                cut = len(rest) - rest.endswith("\r")
                lines, end, rest = rest[:cut], "", rest[cut:]
            held = rest
            if lines or end:
                yield Piece((lines + end).replace("\r\n", "\n"), False)
