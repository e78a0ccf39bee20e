"""Run all that is about one block: its laws, its tests and doctests, and its page.

`PYTHONPATH=tests python -m part DynamicTanh` runs what there is. At its end it says what is
missing, with the file to write it in, and which commands failed.
"""

import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
from errors.table import BLOCKS
from laws.cases import FAMILIES

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "docs"), str(ROOT / "tests/support")]  # as pytest has them

from public_names import ADDRESSES, PUBLIC  # noqa: E402


def main(name: str) -> int:
    """Run the part of that name; the exit code is 1 where something is missing or fails."""
    block = PUBLIC.get(name)
    if block is None:
        print(f"{name} is not exported: add it to the __init__.py of its room in src/blocks/.")
        return 1
    source = Path("src", *block.__module__.split(".")).with_suffix(".py")
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
            "it computes in numpy there; for a part of attention to attention.py, with slots.py "
            "beside it; then "
            "renew the snapshot, PYTHONPATH=tests python -m laws.snapshot, and the figures of "
            "README.md, which pytest -n 0 -m slow tests/test_readme.py counts"
        )
    if module and "Raises:" in (block.__doc__ or "") and name not in BLOCKS:
        missing.append(
            f'its messages have no case: add one, named "{name} FIELD", to '
            f"tests/errors/families/{_message_file(block)}.py"
        )
    if not own:
        missing.append(f"no test of its own: write tests/{room}/test_{source.stem}.py")
    if page is None:
        models = {
            "attention": "attention/soft_cap",
            "positions": "positions/relative_bias",
            "residual": "residual/rezero",
        }
        model = next((models[part] for part in room.parts if part in models), "norms/dynamic_tanh")
        missing.append(f"no page: copy docs/blocks/{model}.md into docs/{room}/")
    if name not in _read(ROOT / "CHANGELOG.md"):
        missing.append("no line in the changelog: add one under Unreleased of CHANGELOG.md")
    found = [f"tests/errors/test_table.py::test_the_mistakes_with_a_block_are_told[{name}]"]
    python = [str(source), *(str(path.relative_to(ROOT)) for path in own)]
    commands = [["pytest", "-q", "-n", "0", *python]]
    if cases:
        # The smallest case is of the block alone; the others are of what holds it.
        laws = " or ".join(f"{case}]" for case in cases)
        families = " or ".join(f"[{family}]" for family in set(cases.values()))
        chosen = ["-m", "", "-k", f"{laws} or {families}"]  # the slow ones too
        commands.append(["pytest", "-q", "-n", "0", "tests/laws", *chosen])
    if name in BLOCKS:
        commands.append(["pytest", "-q", "-n", "0", *found])
    if page is not None:
        commands.append(["python", "docs/_build", str(page.relative_to(ROOT))])
        commands.append(
            ["pytest", "-q", "-n", "0", "tests/docs/test_block_pages.py", "-k", f"{name}] or every"]
        )
    commands.append(["pytest", "-q", "-n", "0", "-m", "slow", "tests/test_readme.py"])
    commands += [["ruff", "check", "-q", "."], ["ruff", "format", "--check", "-q", "."]]
    absent = sorted({tool for tool, *_ in commands if shutil.which(tool) is None})
    missing += [f"{tool} is not installed: pip install -r requirements-dev.lock" for tool in absent]
    ready = [command for command in commands if command[0] not in absent]
    failed = [command for command in ready if subprocess.run(command, cwd=ROOT).returncode]
    missing += [f"failed, see above: {shlex.join(command)}" for command in failed]
    print("\n".join(["", *(missing or [f"{name} has all its files."])]))
    return int(bool(missing))


def _message_file(block: type) -> str:
    """The file with most cases of messages of blocks of the same room; ROOM where none has any."""

    def room(kind: Any) -> str:
        return getattr(kind, "__module__", "").rpartition(".")[0]

    files = Counter(
        path.stem
        for path in (ROOT / "tests/errors/families").glob("*.py")
        for other in re.findall(r'^ {8}"(\w+) ', _read(path), re.MULTILINE)
        if room(PUBLIC.get(other)) == room(block)
    )
    return next((file for file, _ in files.most_common(1)), "ROOM")


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
    # Tools are those of this Python's environment, also where it is not activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    sys.exit(main(sys.argv[1]))
