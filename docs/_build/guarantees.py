"""Tables of what is guaranteed, made from the tests and data that guarantee it."""

from __future__ import annotations

import functools
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path


def macros(root: Path) -> dict[str, Callable[[], str]]:
    """The functions that a page of guarantees may call."""
    tables = (alone, benchmarks, fault_table, feature_table, law_table)
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
    """What is survived, and the test that says so, from `faults.toml`."""
    lines, group = [], None
    for fault in _read(root, "faults.toml")["fault"]:
        if fault["group"] != group:
            group = fault["group"]
            lines += [
                f"\n## {group}\n",
                "| what happens | what comes of it | test |",
                "| --- | --- | --- |",
            ]
        lines.append(f"| {fault['fault']} | {fault['result']} | `{fault['test']}` |")
    return "\n".join(lines)


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
