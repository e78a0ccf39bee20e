"""What a page can ask for between double braces: tables that are computed when it is built."""

from __future__ import annotations

import ast
import functools
import html
import importlib
import inspect
import math
import os
import pkgutil
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

from _build import families, guarantees, rooms

# The page and heading that say what every block keeps.
LAWS = "index.md#what-every-block-keeps"


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def macros(page: Path, root: Path) -> dict[str, Callable[..., str]]:
    """The functions that a page may call."""
    return {
        "anatomy": functools.partial(anatomy, page=page, root=root),
        "api": api,
        "cost": cost,
        "listing": listing,
        "play": functools.partial(play, page=page, root=root),
        "public_names": public_names,
        "shapes": shapes,
        "source": functools.partial(source, root=root),
        "tests": functools.partial(tests, root=root, page=page),
        **families.macros(root),
        **guarantees.macros(root),
        **rooms.macros(page, root),
    }


def shapes(block: Any) -> str:
    """The table of what a block, or one of its methods, takes and gives, from the signature."""
    call = inspect.unwrap(block.__call__ if inspect.isclass(block) else block)
    hints = typing.get_type_hints(call, include_extras=True)
    rows = ["| | type | shape |", "| --- | --- | --- |"]
    for name, hint in hints.items():
        said = "result" if name == "return" else f"`{name}`"
        parameter = inspect.signature(call).parameters.get(name)
        for kind, shape in _arrays(hint):
            rows.append(f"| {said} | {kind} | {shape} |")
            said = ""
        if not list(_arrays(hint)):
            default = "" if parameter is None else _default(parameter)
            rows.append(f"| {said} | `{_plain(hint)}`{default} | |")
    return "\n".join(rows)


def cost(block: Any, *arguments: Any) -> str:
    """The table of a value's parameters, and the work of one call, for arguments of a size."""
    variables = jax.eval_shape(block.init, jax.random.key(0), *arguments)
    leaves = jax.tree_util.tree_leaves_with_path(variables.get("params", {}))
    total = sum(math.prod(leaf.shape) for _, leaf in leaves)
    lines = []
    if leaves:
        lines += ["| parameter | shape | count |", "| --- | --- | ---: |"]
        for path, leaf in leaves:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            shape = " × ".join(map(str, leaf.shape)) or "one number"
            lines.append(f"| `{name}` | {shape} | {math.prod(leaf.shape):,} |")
        size = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for _, leaf in leaves)
        lines += [f"| **all** | {_bytes(size)} | **{total:,}** |", ""]
    else:
        lines += ["It has no parameters.", ""]
    given = ", ".join(
        f"`{argument.dtype}[{', '.join(map(str, argument.shape))}]`"
        for argument in arguments
        if hasattr(argument, "shape")
    )
    fast = not jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    compiled = jax.jit(block.apply).lower(variables, *arguments).compile()
    jax.config.update("jax_disable_most_optimizations", not fast)
    analysis = compiled.cost_analysis() or {}
    memory = compiled.memory_analysis()
    flops = int(analysis.get("flops", 0))
    working = getattr(memory, "temp_size_in_bytes", None)
    said = f"One call on {given} takes {flops:,} floating point operations"
    if working is not None:
        said += f" and {_bytes(working)} of memory besides arguments and result"
    return "\n".join([*lines, f"{said}, as XLA compiles it for a CPU."])


def source(thing: Any, root: Path) -> str:
    """The file that a block stands in, whole, to be opened."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    module = inspect.getmodule(inspect.unwrap(thing))
    assert module is not None, thing
    # By its name: the package may be installed elsewhere.
    path = (root / "src").joinpath(*module.__name__.split(".")).with_suffix(".py")
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    shown = highlight(text, PythonLexer(), HtmlFormatter(cssclass="highlight", wrapcode=True))
    name = path.relative_to(root).as_posix()
    return Html(
        f'<details class="source" data-search-exclude><summary><code>{name}</code>, {lines} lines'
        f"</summary>{shown.strip()}</details>"
    )


def listing(thing: Any, first: str = "", last: str = "") -> str:
    """The source of a class or function, from the line with `first` up to that with `last`.

    Raises:
        ValueError: No line holds them.
    """
    lines = textwrap.dedent(inspect.getsource(thing)).splitlines()

    def line_of(text: str, after: int) -> int:
        for number, line in enumerate(lines):
            if number > after and text in line:
                return number
        raise ValueError(f"no line of {thing.__qualname__} holds {text!r}; name one that does.")

    start = line_of(first, -1)
    end = line_of(last, start) if last else None
    code = textwrap.dedent("\n".join(lines[start:end])).rstrip()
    return f"```python\n{code}\n```"


def tests(thing: Any, root: Path, page: Path) -> str:
    """The tests that name a block: its laws, those of its folder in words, others by name."""
    word = re.compile(rf"\b{re.escape(thing.__name__)}\b")
    area = thing.__module__.split(".")[1]
    laws, own, others = [], [], []
    for path in sorted((root / "tests").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(root).as_posix()
        if not word.search(text) or name.startswith("tests/docs/"):
            continue
        if name.startswith("tests/laws/families/"):
            link = os.path.relpath(root / "docs" / LAWS, page.parent)
            laws.append(f"- `{name}`: its cases of [the laws that every block keeps]({link}).")
        elif found := [_sentence(test) for test in _tests(text) if word.search(test)]:
            if name.startswith((f"tests/blocks/{area}/", f"tests/blocks/test_{area}")):
                own.append(f"- `{name}`: {'; '.join(found)}.")
            else:
                others.append(f"`{name}`")
    last = [f"- It also stands in {', '.join(others)}."] if others else []
    return "\n".join([*laws, *own, *last])


def anatomy(page: Path, root: Path) -> str:
    """The picture of a transformer, whose boxes lead to the pages of what can stand there."""
    from figures.anatomy import anatomy

    folder = Path(os.path.relpath(root / "docs" / "blocks", page.parent)).as_posix()
    return Html(anatomy("" if folder == "." else f"{folder}/"))


def play(part: str, page: Path, root: Path) -> str:
    """A part of the page to play with: `attention`, `sampling`, or the `scripts` and their data."""
    from figures import play, play_parts

    parts = {"attention": play_parts.ATTENTION, "sampling": play_parts.SAMPLING}
    if part in parts:
        return Html(parts[part])
    assets = Path(os.path.relpath(root / "docs" / "assets", page.parent)).as_posix()
    return Html(play_parts.scripts(assets, play.page_data()))


def api(package: str, but: tuple[str, ...] = ()) -> str:
    """An entry for each module of a package that has public names, `but` for some packages."""
    return "\n".join(
        f"::: {module}\n    options:\n      heading_level: 2\n      show_root_full_path: true\n"
        for module, _ in public_modules(package)
        if not f"{module}.".startswith(tuple(f"{name}." for name in but) or ("-",))
    )


def public_names() -> str:
    """The table of all public names of `blocks` and its rooms, with what each is in a sentence."""
    rows = ["| name | import it from | what it is |", "| --- | --- | --- |"]
    for name, (address, thing) in rooms.every_name().items():
        home = address.rpartition(".")[0]
        rows.append(f"| [`{name}`][{address}] | `{home}` | {rooms.sentence(thing)} |")
    return "\n".join(rows)


def public_modules(package: str) -> Iterator[tuple[str, list[str]]]:
    """The modules below a package that define names without an underscore, and those names."""
    top = importlib.import_module(package)
    found = pkgutil.walk_packages(top.__path__, f"{package}.")
    for name in [package, *sorted(info.name for info in found)]:
        if any(part.startswith("_") for part in name.split(".")):
            continue
        module = importlib.import_module(name)
        names = [
            key
            for key, value in vars(module).items()
            if not key.startswith("_")
            and (inspect.isclass(value) or inspect.isfunction(value))
            and value.__module__ == name
        ]
        if names:
            yield name, names


def _arrays(hint: Any) -> Iterator[tuple[str, str]]:
    """The arrays of an annotation: `Float`, `batch × seq`."""
    for part in typing.get_args(hint) or (hint,):
        if hasattr(part, "dim_str"):
            kind = part.__name__.partition("[")[0]
            names = (axis.strip("{}").removeprefix("self.") for axis in part.dim_str.split())
            axes = " × ".join(f"`{name}`" for name in names) or "one number"
            yield kind, axes


def _plain(hint: Any) -> str:
    """An annotation in words: `Context or None`; of a mapping or function only what it is."""
    if typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    parts = typing.get_args(hint) if union else (typing.get_origin(hint) or hint,)
    return " or ".join(
        "None" if part is type(None) else getattr(part, "__name__", str(part)) for part in parts
    )


def _default(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty or parameter.default is None:
        return ""
    return f", else `{parameter.default}`"


def _bytes(size: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size = size / 1024
    return f"{size:.4g} GiB"


def _tests(text: str) -> Iterator[str]:
    """The source of each test, with that of what stands above it."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            yield "\n".join(lines[first - 1 : node.end_lineno])


def _sentence(test: str) -> str:
    name = re.search(r"def test_(\w+)", test)
    return html.escape(name[1].replace("_", " ")) if name else ""
