"""What the sources import, read from them."""

import ast
import sys
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src"


def python_files(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.py"))
    assert files, f"{folder} has no sources: this test would pass on nothing."
    return files


def imported_by(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports, at its top or inside a function."""
    return names_imported_in(ast.parse(path.read_text(encoding="utf-8")), path)


def names_imported_in(tree: ast.AST, path: Path) -> set[str]:
    """Dotted names of the modules that a part of a file imports."""
    package = path.relative_to(SOURCES).with_suffix("").parts[:-1]
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            origin = ".".join([*base, *([node.module] if node.module else [])])
            # `from flax import linen` and `from . import x` import modules too.
            names.update({origin, *(f"{origin}.{alias.name}" for alias in node.names)})
    return names


def imports_when_imported(path: Path) -> set[str]:
    """The same without what a file imports only where it is run as a script."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guards = [node for node in tree.body if isinstance(node, ast.If)]
    guarded = [node for node in guards if ast.unparse(node.test) == "__name__ == '__main__'"]
    rest = [node for node in tree.body if node not in guarded]
    return {name for node in rest for name in names_imported_in(node, path)}


def distributions_imported_by(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported_by(path)} - sys.stdlib_module_names


def module_graph(package: str) -> dict[str, set[str]]:
    """Modules of a package, and which of them each imports, in functions and for types too."""
    files = {
        ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__"): path
        for path in python_files(SOURCES / package)
    }
    return {name: imports_when_imported(path) & files.keys() for name, path in files.items()}


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found, ahead = set(), [start]
    while ahead:
        new = graph[ahead.pop()] - found
        found |= new
        ahead += new
    return found
