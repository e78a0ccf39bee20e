"""Run all that is about one block: its laws, its tests and doctests, and its page.

`PYTHONPATH=tests python -m part DynamicTanh` says in a sentence what is missing, with the file to
write it in, and then runs what there is.
"""

import dataclasses
import inspect
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
from laws.cases import FAMILIES
from public_names import ADDRESSES, PUBLIC

ROOT = Path(__file__).parents[1]


def main(name: str) -> int:
    """Run the part of that name; the exit code is 1 where something is missing or fails."""
    block = PUBLIC.get(name)
    if block is None:
        print(f"{name} is not exported: add it to the __init__.py of its room in src/blocks/.")
        return 1
    source = Path(inspect.getsourcefile(block) or "").relative_to(ROOT)
    room = Path(*source.parts[1:-1])
    # A mask, a cache or a kernel is a value, not a module: the overview of its room is its page.
    module = isinstance(block, type) and issubclass(block, nn.Module)
    cases = {
        case.name: family
        for family, listed in FAMILIES.items()
        for case in listed
        if _holds(case.block, block)
    }
    page = next(
        (
            path
            for path in (ROOT / "docs" / room).rglob("*.md")
            if f"::: {ADDRESSES[name]}\n" in _read(path)
        ),
        None if module else ROOT / "docs" / room.with_suffix(".md"),
    )
    word = re.compile(rf"\b{name}\b")
    own = [path for path in (ROOT / "tests" / room).rglob("test_*.py") if word.search(_read(path))]
    missing = []
    if not cases:
        missing.append(
            f"no law case holds {name}: add one to tests/laws/families/{room.name}.py, with what "
            "it computes in numpy there, or in slots.py beside it for a part of attention; then "
            "renew the snapshot, PYTHONPATH=tests python -m laws.snapshot, and the figures of "
            "README.md, which pytest -n 0 -m slow tests/test_readme.py counts"
        )
    if not own:
        missing.append(f"no test of its own: write tests/{room}/test_{source.stem}.py")
    if page is None:
        model = "attention/soft_cap" if "attention" in room.parts else "norms/dynamic_tanh"
        missing.append(f"no page: copy docs/blocks/{model}.md into docs/{room}/")
    if name not in _read(ROOT / "CHANGELOG.md"):
        missing.append("no line in the changelog: add one under Unreleased of CHANGELOG.md")
    print("\n".join(missing))
    found = [f"tests/errors/test_table.py::test_the_mistakes_with_a_block_are_told[{name}]"]
    commands = [["pytest", "-q", "-n", "0", str(source), *map(str, own)]]
    if cases:
        # The smallest case is of the block alone; the others are of what holds it.
        laws = " or ".join(f"{case}]" for case in cases)
        families = " or ".join(f"[{family}]" for family in set(cases.values()))
        commands.append(["pytest", "-q", "-n", "0", "tests/laws", "-k", f"{laws} or {families}"])
    if f'"{name} ' in "".join(map(_read, (ROOT / "tests/errors/families").glob("*.py"))):
        commands.append(["pytest", "-q", "-n", "0", *found])
    if page is not None:
        commands.append([sys.executable, "docs/_build", str(page)])
        commands.append(
            ["pytest", "-q", "-n", "0", "tests/docs/test_block_pages.py", "-k", f"{name}] or every"]
        )
    failed = [command for command in commands if subprocess.run(command, cwd=ROOT).returncode]
    return int(bool(missing or failed))


def _holds(value: Any, kind: type) -> bool:
    """Whether a value, or one in its fields at any depth, is of exactly that kind."""
    if type(value) is kind:
        return True
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return any(_holds(part, kind) for part in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return False
    names = {field.name for field in dataclasses.fields(value)} - {"parent", "name"}
    return any(_holds(getattr(value, name, None), kind) for name in names)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("name a block: PYTHONPATH=tests python -m part DynamicTanh")
    sys.exit(main(sys.argv[1]))
