"""Docstrings and fields for the reference as a person would write them; an extension of griffe."""

from __future__ import annotations

import dataclasses
import pydoc
import re
import typing
from typing import Annotated, Any

import griffe

LINEN = "blocks.core.block.Block"
ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+/\d{7})")


class Written(griffe.Extension):
    """Gives blocks the signature that Linen makes of their fields, and docstrings links and code.

    Linen makes the constructor at run time, with `parent` and `name`, which no reader fills in.
    """

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Rewrites all of a package."""
        del kwargs
        self._walk(pkg)

    def _walk(self, thing: Any) -> None:
        for member in list(thing.members.values()):
            if member.is_alias:
                continue
            if member.is_attribute:
                member.annotation = plain(member.annotation)
            if member.docstring:
                member.docstring.value = docstring(member.docstring.value)
            if member.is_class and any(base.path == LINEN for base in member.mro()):
                _constructor(member)
            if member.is_module or member.is_class:
                self._walk(member)


def plain(annotation: Any) -> Any:
    """An annotation without the bounds of its numbers, which the docstring says in words."""
    if isinstance(annotation, griffe.ExprName):
        value = pydoc.locate(annotation.canonical_path)
        kind, *_ = typing.get_args(value) if typing.get_origin(value) is Annotated else (None,)
        return kind.__name__ if kind in (int, float) else annotation
    if isinstance(annotation, griffe.ExprSubscript):
        if annotation.left.canonical_name == "Annotated":
            return annotation.slice.elements[0]
        return dataclasses.replace(annotation, slice=plain(annotation.slice))
    if isinstance(annotation, griffe.ExprTuple):
        return dataclasses.replace(annotation, elements=[plain(one) for one in annotation.elements])
    if isinstance(annotation, griffe.ExprBinOp):
        left, right = plain(annotation.left), plain(annotation.right)
        return dataclasses.replace(annotation, left=left, right=right)
    return annotation


def docstring(text: str) -> str:
    """A docstring with examples that can be copied and references that can be followed."""
    text = re.sub(r"^( *)```python\n(.*?)^\1```$", _example, text, flags=re.M | re.S)
    text = re.sub(r"^( +)(>>> (?:.*\n?))((?:\1.*\n?)*)", _bare_example, text, flags=re.M)
    return re.sub(r"^References:\n((?:    .*\n?|\n)+)", _references, text, flags=re.M)


def _bare_example(found: re.Match[str]) -> str:
    return f"{_session(found[1], found[1] + found[2] + found[3])}\n"


def _example(found: re.Match[str]) -> str:
    """A session of the interpreter as code and, under it, what it gave."""
    return _session(found[1], found[2]) if ">>>" in found[2] else found[0]


def _session(indent: str, body: str) -> str:
    parts: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        line = line.removeprefix(indent)
        if not line.strip():
            continue
        code = line.startswith((">>>", "..."))
        kind = "python" if code else "text .output .no-copy"
        if not parts or parts[-1][0] != kind:
            parts.append((kind, []))
        parts[-1][1].append(line[4:] if code else line)
    lines = []
    for kind, block in parts:
        lines += [f"``` {{.{kind}}}", *block, "```", ""]
    return "\n".join(indent + line if line else line for line in lines).rstrip()


def _references(found: re.Match[str]) -> str:
    lines: list[str] = []
    for line in found[1].rstrip().splitlines():
        if line.startswith("     ") and lines:
            lines[-1] += " " + line.strip()
        elif line.strip():
            lines.append(f"    - {line.strip()}")
    linked = [ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", line) for line in lines]
    return "References:\n" + "\n".join(linked) + "\n"


def _is_field(name: str, member: Any) -> bool:
    if not member.is_attribute or not member.annotation or name.startswith("_"):
        return False
    return "property" not in member.labels and "ClassVar" not in str(member.annotation)


SECTION = re.compile(r"^(?:Attributes:|Args: Fields)\n((?:    .*\n|\n)+)", re.M)


def _described(text: str) -> dict[str, str]:
    """What a docstring says of each field, as it stands there."""
    found = SECTION.search(f"{text}\n")
    entries = re.split(r"^(?=    \w+: )", found[1], flags=re.M) if found else []
    return {entry.split(":")[0].strip(): entry.rstrip() for entry in entries if entry.strip()}


def _with_inherited(block: griffe.Class, fields: tuple[str, ...]) -> str:
    """A block's docstring with the fields of its bases, in the order of the constructor."""
    assert block.docstring is not None
    text = f"{block.docstring.value}\n"
    described: dict[str, str] = {}
    for part in [*reversed(block.mro()), block]:
        described |= _described(part.docstring.value if part.docstring else "")
    entries = "".join(f"{described[name]}\n" for name in fields if name in described)
    if not entries or not SECTION.search(text):
        return text
    return SECTION.sub(lambda _: f"Args: Fields\n{entries}\n", text, count=1)


def _constructor(block: griffe.Class) -> None:
    """Adds what `kw_only=True` makes of the fields, those of its bases first, as parameters."""
    fields: dict[str, griffe.Attribute] = {}
    for part in [*reversed(block.mro()), block]:
        for name, member in part.members.items():
            if _is_field(name, member):
                fields[name] = member
    parameters = [
        griffe.Parameter(
            name,
            annotation=plain(field.annotation),
            kind=griffe.ParameterKind.keyword_only,
            default=field.value,
        )
        for name, field in fields.items()
    ]
    if block.docstring:
        block.docstring.value = _with_inherited(block, tuple(fields))
    constructor = griffe.Function(
        "__init__", parameters=griffe.Parameters(griffe.Parameter("self"), *parameters)
    )
    block.set_member("__init__", constructor)
