"""Runs the code of one page, in this process, from top to bottom."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import pprint
import re
import subprocess
import sys
import traceback
import types
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from _build import drawing
from _build.compiler import NOT_KEPT
from _build.fences import Item, PageError, read

WIDTH = 88
# Addresses differ from run to run and say nothing.
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")


def run_page(page: Path, root: Path) -> list[dict[str, str]]:
    """What each item of the page gives, by kind: `text`, `error`, `svg` or `markdown`.

    Python fences share one namespace and shell fences the folder that this process stands in.

    Raises:
        PageError: code that fails, with the page's line; or an error that was promised and not met.
    """
    name = str(page.relative_to(root))
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    results = []
    with warnings.catch_warnings():
        _refuse_warnings()
        for item in read(page, root):
            if not item.runs:
                results.append({})
            elif item.language == "macro":
                results.append(_macro(item, name, page, root, module.__dict__))
            else:
                # What the page hides its reader does not have, so the rest must not need it.
                hidden = "hide" in item.options
                space = dict(module.__dict__) if hidden else module.__dict__
                results.append(_code(item, name, page, space, {"PYTHONPATH": str(root / "src")}))
    return results


def follow(cells: Iterable[tuple[str, Item]], space: dict[str, Any]) -> int:
    """Runs code as its reader would, each piece with its place, in `space`; counts the pieces.

    The package is the one that is installed.

    Raises:
        PageError: as `run_page`.
    """
    count = 0
    with warnings.catch_warnings():
        _refuse_warnings()
        for place, item in cells:
            _code(item, place, Path(place), space, {})
            count += 1
    return count


def _refuse_warnings() -> None:
    """Make warnings errors, as a reader would see them too."""
    warnings.simplefilter("error")
    for start in NOT_KEPT:
        warnings.filterwarnings("ignore", start)


def _code(
    item: Item, name: str, page: Path, space: dict[str, Any], variables: dict[str, str]
) -> dict[str, str]:
    """Runs a fence: Python in `space`, shell with `variables` in its environment."""
    if item.language == "shell":
        return _shell(item, name, variables)
    return _python(item, name, page, space)


def _python(item: Item, name: str, page: Path, space: dict[str, Any]) -> dict[str, str]:
    printed = io.StringIO()
    expected = item.options.get("raises")
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            value = evaluate(item.code, str(page), item.line, space)
    except (Exception, SystemExit) as error:
        if expected and type(error).__name__ == expected:
            return {"text": printed.getvalue(), "error": f"{expected}: {error}"}
        raise _failure(error, item, name, page) from error
    if expected:
        raise PageError(name, item.line, f"raises={expected} was promised and nothing was raised.")
    result = {"text": printed.getvalue()}
    if "figure" in item.options:
        if not drawing.is_figure(value):
            raise PageError(
                name, item.line, f"the last value must be a figure, got {type(value).__name__}."
            )
        try:
            result["svg"] = drawing.svg(value)
        except ValueError as error:
            raise PageError(name, item.line, str(error)) from error
    elif value is not None:
        result["text"] += shown(value) + "\n"
    return result


def _macro(item: Item, name: str, page: Path, root: Path, space: dict[str, Any]) -> dict[str, str]:
    from _build import macros, rooms

    public = {name: thing for name, (_, thing) in rooms.every_name().items()}
    known = {**public, **macros.macros(page, root)}
    try:
        result = evaluate(item.code, str(page), item.line, {**known, **space})
    except Exception as error:
        raise _failure(error, item, name, page) from error
    return {"html": result} if isinstance(result, macros.Html) else {"markdown": result}


def _shell(item: Item, name: str, variables: dict[str, str]) -> dict[str, str]:
    environment = {
        **os.environ,
        **variables,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "COLUMNS": str(WIDTH),
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", item.code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    expected = int(item.options.get("exit", 0))
    if done.returncode != expected:
        raise PageError(
            name,
            item.line,
            f"exit code {done.returncode}, expected {expected}.\n{done.stdout}{done.stderr}",
        )
    return {"text": done.stdout, "error": done.stderr if expected else ""}


def evaluate(code: str, filename: str, line: int, space: dict[str, Any]) -> Any:
    """Runs code and gives the value of its last line where that is an expression.

    A semicolon at the end keeps it quiet, as in a notebook.
    """
    # Empty lines in front make a traceback point into the page.
    tree = ast.parse("\n" * (line - 1) + code, filename)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, filename, "exec"), space)
    if last is None:
        return None
    value = eval(compile(last, filename, "eval"), space)
    return None if code.rstrip().endswith(";") else value


def shown(value: Any) -> str:
    """A value as text: what `repr` says, laid out, without addresses in memory."""
    plain = isinstance(value, dict | list | tuple | set) and not hasattr(value, "_fields")
    text = pprint.pformat(value, width=WIDTH, sort_dicts=False) if plain else repr(value)
    return ADDRESS.sub("", text)


def _failure(error: BaseException, item: Item, name: str, page: Path) -> PageError:
    frames = list(_lines(error, str(page)))
    line = frames[-1] if frames else item.line
    if isinstance(error, SyntaxError) and error.lineno:
        line = error.lineno
    return PageError(name, line, f"{type(error).__name__}: {error}")


def _lines(error: BaseException, filename: str) -> Iterator[int]:
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == filename and frame.lineno:
            yield frame.lineno
