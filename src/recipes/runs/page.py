"""Pages of HTML that need no other file: the frame, tables, and values in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from recipes.runs.escaping import escaped

STYLE = """
:root{color-scheme:light dark;--page:#f5f6f8;--card:#fff;--ink:#1c1e21;--quiet:#5a6069;
--rule:#e3e6ea;--mark:#12693f}
@media (prefers-color-scheme:dark){:root{--page:#0d0f11;--card:#15171a;--ink:#eceef1;
--quiet:#a3aab4;--rule:#2c3036;--mark:#5fd19b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:760px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 8px;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:36px 0 10px}
p{margin:0 0 10px}
.quiet{color:var(--quiet)}
.card,details{background:var(--card);border:1px solid var(--rule);border-radius:8px;margin:0 0 12px;
overflow:auto}
.tables{columns:2 300px;column-gap:12px}
.tables .card{break-inside:avoid}
.card svg{display:block;width:100%}
.facts{display:grid;grid-template-columns:repeat(3,1fr);gap:12px;margin:20px 0}
@media (max-width:480px){.facts{grid-template-columns:repeat(2,1fr)}}
.facts div{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 14px}
.facts dt{color:var(--quiet);font-size:.85rem}
.facts dd{margin:0;font-size:1.25rem;font-weight:600;font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
.facts small{display:block;color:var(--quiet);font-weight:400;font-size:.85rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:10px 14px 4px}
th,td{padding:6px 10px;text-align:left;vertical-align:top;overflow-wrap:anywhere;
border-top:1px solid var(--rule)}
th:first-child,td:first-child{padding-left:14px}
th:last-child,td:last-child{padding-right:14px}
tr:first-child>*{border-top:0}
th{font-weight:400;color:var(--quiet)}
tbody th{width:46%}
thead th{font-weight:600;vertical-align:bottom;overflow-wrap:normal}
thead th:first-child,thead+tbody td:first-child{position:sticky;left:0;min-width:8em;
max-width:12em;background:var(--card)}
td.number,th.number{text-align:right}
td.number{overflow-wrap:normal}
.best{color:var(--mark);font-weight:600}
summary{padding:8px 14px;cursor:pointer}
pre{margin:0;padding:4px 14px 14px;white-space:pre-wrap;overflow-wrap:anywhere;
font:14px/1.45 ui-monospace,SFMono-Regular,Consolas,monospace}
"""


def page(title: str, body: Iterable[str]) -> str:
    """Frame the parts of a page, which are HTML already."""
    content = "\n".join(body)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escaped(title)}</h1>\n{content}\n</main>\n</body>\n</html>\n"
    )


def facts(pairs: Iterable[tuple[str, str, str]]) -> str:
    """Show a few numbers large: what each is, the number, and a note."""
    cells = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}"
        f"{f'<small>{escaped(note)}</small>' if note else ''}</dd></div>"
        for name, value, note in pairs
    )
    return f'<dl class="facts">{cells}</dl>'


def table_of(values: Mapping[str, str], caption: str = "") -> str:
    """A table of names and values, on a card."""
    rows = "".join(
        f'<tr><th scope="row">{_breakable(name)}</th><td>{escaped(value)}</td></tr>'
        for name, value in values.items()
    )
    head = f"<caption>{escaped(caption)}</caption>" if caption else ""
    return f'<div class="card"><table>{head}<tbody>{rows}</tbody></table></div>'


def grid_of(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, best: int | None = None
) -> str:
    """A table with a head, on a card that scrolls.

    Args:
        columns: Their heads; all columns but the first are numbers.
        rows: Texts of the cells.
        best: Row that is marked as the best.
    """
    kinds: list[str] = ["", *[' class="number"'] * (len(columns) - 1)]

    def line(cell: str, texts: Sequence[str], kind: str = "") -> str:
        pairs = zip(kinds, texts, strict=True)
        inside = "".join(f"<{cell}{kind}>{_breakable(text)}</{cell}>" for kind, text in pairs)
        return f"<tr{kind}>{inside}</tr>"

    marks = [' class="best"' if place == best else "" for place in range(len(rows))]
    body = "".join(line("td", row, mark) for row, mark in zip(rows, marks, strict=True))
    table = f"<table><thead>{line('th', columns)}</thead><tbody>{body}</tbody></table>"
    return f'<div class="card">{table}</div>'


def _breakable(name: str) -> str:
    """A name that a narrow page breaks after its words."""
    return escaped(name).replace("_", "_<wbr>").replace(".", ".<wbr>")


def flattened(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Name each value in nested tables by its path, and say it in words.

    Example:
        >>> flattened({"model": {"features": 64, "bias": False}, "devices": ["cpu:0", "cpu:1"]})
        {'model.features': '64', 'model.bias': 'no', 'devices': 'cpu:0, cpu:1'}
    """
    found = {}
    for name, value in content.items():
        if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
            value = {str(number): entry for number, entry in enumerate(value, start=1)}
        if isinstance(value, dict):
            found |= flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            found[f"{prefix}{name}"] = ", ".join(map(said, value))
        else:
            found[f"{prefix}{name}"] = said(value)
    return found


def said(value: object) -> str:
    """A value of a setting in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
