"""Tables of what is guaranteed, made from the tests and data that guarantee it."""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path


def macros(root: Path) -> dict[str, Callable[[], str]]:
    """The functions that a page of guarantees may call."""
    tables = (alone, bench_table, benchmarks, fault_table, feature_table, law_table)
    return {table.__name__: functools.partial(table, root) for table in tables}


def _read(root: Path, name: str) -> dict:
    return tomllib.loads((root / "docs/guarantees" / name).read_text(encoding="utf-8"))


def feature_table(root: Path) -> str:
    """Which library has which part, a table for each group, from `features.toml`."""
    data = _read(root, "features.toml")
    peers = data["peers"]
    heads = ["linen-blocks", *peers]
    lines, group = [], None
    for feature in data["feature"]:
        if feature["group"] != group:
            group = feature["group"]
            lines += [
                f"\n## {group}\n",
                f"| | {' | '.join(heads)} |",
                "| --- " * (len(heads) + 1) + "|",
            ]
        ours = ", ".join(f"[{name}][blocks.{name}]" for name in feature["ours"])
        has = [bool(ours), *(peer in feature for peer in peers)]
        cells = " | ".join("yes" if one else "no" for one in has)
        lines.append(f"| {feature['name']}{ours and f': {ours}'} | {cells} |")
    return "\n".join(lines)


def alone(root: Path) -> str:
    """The parts that no other library of the table has."""
    data = _read(root, "features.toml")
    names = [
        feature["name"]
        for feature in data["feature"]
        if feature["ours"] and not set(data["peers"]) & set(feature)
    ]
    return "\n".join(f"- {name}" for name in names)


def fault_table(root: Path) -> str:
    """What is survived, from `faults.toml`, and the tests that are marked with its row."""
    tests, lines, group = fault_tests(root), [], None
    for fault in _read(root, "faults.toml")["fault"]:
        if fault["group"] != group:
            group = fault["group"]
            lines += [
                f"\n## {group}\n",
                "| row | what happens | what comes of it | tests |",
                "| ---: | --- | --- | --- |",
            ]
        row = fault["row"]
        marked = "<br>".join(f"`{name}`" for name in tests.get(row, [])) or "none yet"
        lines.append(f"| {row} | {fault['fault']} | {fault['result']} | {marked} |")
    return "\n".join(lines)


def fault_tests(root: Path) -> dict[int, list[str]]:
    """The tests of each row: a file that is marked as a whole, or single functions."""
    found: dict[int, list[str]] = {}
    for path in sorted((root / "tests/faults").glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            match node:
                case ast.FunctionDef(name=name) if name.startswith("test_"):
                    marked, name = node.decorator_list, f"{path.name}::{name}"
                case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                    marked, name = [value], path.name
                case _:
                    continue
            for row in sorted({row for part in marked for row in _marked_rows(part)}):
                found.setdefault(row, []).append(name)
    return found


def _marked_rows(node: ast.AST) -> list[int]:
    """The numbers in every `pytest.mark.fault(...)` below a node."""
    return [
        ast.literal_eval(argument)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.fault"
        for argument in call.args
    ]


def law_table(root: Path) -> str:
    """Every law with the number of blocks and of tests that hold it, as pytest collects them."""
    code = (
        "from laws.count import laws\n"
        "for law, (cases, tests) in laws().items():\n"
        "    print(f'| {law} | {cases} | {tests} |')"
    )
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, 'tests')\n{code}"]
    rows = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return f"| law | cases | tests |\n| --- | ---: | ---: |\n{rows}"


def benchmarks(root: Path) -> str:
    """The measurements, as they stand beside the code that makes them."""
    return (root / "benchmarks/README.md").read_text(encoding="utf-8").partition("\n")[2]


def bench_table(root: Path) -> str:
    """What `bench --json` measured: a line for each file in `benchmarks/results`."""
    from recipes.bench.figures import Figures
    from recipes.bench.table import markdown

    files = sorted((root / "benchmarks/results").glob("*.json"))
    rows = markdown(Figures.from_json(json.loads(path.read_bytes())) for path in files)
    return f"## Presets by `bench`\n\n{rows}\n" if files else ""
