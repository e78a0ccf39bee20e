"""Texts in the rows of tables: JSON lines, Parquet, data sets of the hub."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from recipes.errors import RecipeError, nearest_of

EXTRA = 'Run pip install "linen-blocks[data]".'
# Rows of a Parquet file that are read at a time.
ROWS = 1024


def json_lines(path: Path, column: str) -> Iterator[str]:
    """Read the text of every line of a file of JSON lines.

    Raises:
        RecipeError: A line without an object that has a text in that column, by its number.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            where = f"line {number} of {str(path)!r}"
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise RecipeError(
                    f"{where} is not JSON: {str(error).partition(': line')[0]}.",
                    "Write one object per line in UTF-8.",
                ) from error
            yield _checked(row, column, where)


def parquet_rows(path: Path, column: str) -> Iterator[str]:
    """Read the text of every row of a Parquet file, some at a time.

    Raises:
        RecipeError: A damaged file, one without that column, or pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise RecipeError(
            f"{str(path)!r} needs the package pyarrow, which is not installed.", EXTRA
        ) from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            if column not in file.schema_arrow.names:
                raise _no_column(column, file.schema_arrow.names, repr(str(path)))
            number = 0
            for batch in file.iter_batches(ROWS, columns=[column]):
                for row in batch.to_pylist():
                    yield _checked(row, column, f"row {number} of {str(path)!r}")
                    number += 1
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        reason = str(error).partition("\n")[0].rstrip(".")
        raise RecipeError(f"{str(path)!r} is damaged: {reason}.", "Get the file again.") from error


def hub_rows(name: str, config: str | None, split: str, column: str) -> Iterator[str]:
    """Read the text of every row of a data set of the hub.

    Raises:
        RecipeError: It cannot be loaded, has no such column, or datasets is not installed.
    """
    shown = f"hf:{name}"
    try:
        import datasets  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise RecipeError(
            f"{shown!r} needs the package datasets, which is not installed.", EXTRA
        ) from error
    try:
        rows = datasets.load_dataset(name, config, split=split)
    except Exception as error:  # Of many kinds: the network, the name, the format.
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise RecipeError(
            f"{shown!r} cannot be loaded: {reason}.",
            "Write hf:NAME, hf:NAME:CONFIG or hf:NAME:CONFIG:SPLIT.",
        ) from error
    for number, row in enumerate(rows):
        yield _checked(row, column, f"row {number} of {shown!r}")


def _checked(row: Any, column: str, where: str) -> str:
    """The text of a row of a table; an absent one is empty."""
    if not isinstance(row, dict):
        raise RecipeError(f"{where} must be a JSON object.", "Write one object per line in UTF-8.")
    if column not in row:
        raise _no_column(column, map(str, row), where)
    text = "" if row[column] is None else row[column]
    if not isinstance(text, str):
        raise RecipeError(
            f"{where} has {column}={str(text)[:40]!r}, which must be a text.",
            "Give the name of a column of texts with --text-column.",
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RecipeError(
            f"{where} holds {text[error.start]!r} at position {error.start}, "
            "which is not a character of Unicode.",
            "Remove it, or convert the text to UTF-8.",
        ) from error
    return text


def _no_column(column: str, names: Iterable[str], where: str) -> RecipeError:
    return RecipeError(
        f"{where} has no column {column!r}.", f"Use --text-column with {nearest_of(column, names)}."
    )
