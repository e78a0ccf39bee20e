"""Runs all pages that changed, and counts what was run."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from _build.compiler import forget_programs_if_many, kept_programs_variables, quick_flags
from _build.fences import RUNNABLE, Item, PageError, read

# Macros that read other pages.
ROOM_MACROS = ("entries(", "overview(", "rooms(")
ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "pages"
VERSIONS = ("jax", "jaxlib", "flax", "numpy", "optax", "matplotlib")


@dataclass(frozen=True)
class Page:
    """A page that was run: its items, what each gave, and how long it took."""

    name: str
    items: list[Item]
    results: list[dict[str, str]]
    seconds: float


def all_pages(root: Path = ROOT) -> list[Path]:
    """The README and every page of the site."""
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return [page for page in pages if "_build" not in page.parts]


def run_pages(pages: Iterable[Path], root: Path = ROOT) -> tuple[list[Page], list[str]]:
    """The pages that ran, and for each of the others why it failed.

    What a page gave is kept by the hash of its code, of the sources it can use and of versions.
    """
    done: dict[str, dict] = {}
    failures, waiting, keys, items = [], [], {}, {}
    for page in pages:
        name = str(page.relative_to(root))
        try:
            items[name] = read(page, root)
        except PageError as error:
            failures.append(str(error))
            continue
        keys[name] = CACHE / f"{_key(name, items[name], root)}.json"
        if not any(item.runs for item in items[name]):
            done[name] = {"results": [{} for _ in items[name]], "seconds": 0.0}
        elif keys[name].exists():
            done[name] = json.loads(keys[name].read_text(encoding="utf-8"))
        else:
            waiting.append(name)
    for answer in _work(waiting, root):
        if "failure" in answer:
            failures.append(answer["failure"])
            continue
        done[answer["page"]] = answer
        path = keys[answer["page"]]
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(answer), encoding="utf-8")
        partial.rename(path)
    ran = [
        Page(name, items[name], done[name]["results"], done[name]["seconds"])
        for name in items
        if name in done
    ]
    return ran, failures


def count(pages: Iterable[Path], root: Path = ROOT) -> str:
    """How many snippets there are, how many of them run, and why the others do not."""
    total = run = 0
    reasons = []
    for page in pages:
        for item in read(page, root):
            if item.language in RUNNABLE:
                total += 1
                run += item.runs
                if not item.runs:
                    where = f"{page.relative_to(root)}:{item.first + 1}"
                    reasons.append(f"  {where}: {item.options['skip']}")
    share = f"{run / total:.0%}" if total else "none"
    lines = [f"{run} of {total} Python and shell snippets were executed ({share})."]
    return "\n".join([*lines, *(["Not run:", *reasons] if reasons else [])])


def _work(names: list[str], root: Path) -> Iterable[dict]:
    if not names:
        return
    forget_programs_if_many()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root / "src"), str(Path(__file__).parents[1])]),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": quick_flags(),
        **kept_programs_variables(),
        "MPLBACKEND": "svg",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "_build.worker", str(root)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        json.dump(names, worker.stdin)
        worker.stdin.close()
        left = set(names)
        for line in worker.stdout:
            answer = json.loads(line)
            left.discard(answer["page"])
            yield answer
    if left:
        yield {"page": "", "failure": f"{', '.join(sorted(left))}: the worker died."}


def _key(name: str, items: list[Item], root: Path) -> str:
    # The line counts: it stands in messages.
    code = [(item.language, item.code, item.options, item.line) for item in items]
    sources = [_hash_of(root / "docs", "**/*.py"), _hash_of(root / "src" / "blocks", "**/*.py")]
    text = repr((code, (root / name).read_text(encoding="utf-8").startswith("---\n")))
    if "recipes" in text:
        sources.append(_hash_of(root / "src" / "recipes", "**/*.py"))
    if "{{" in text or any(item.language == "macro" for item in items):
        sources.append(_hash_of(root / "tests", "**/*.py"))
        sources += [
            _hash_of(root / "docs", "**/*.toml"),
            _hash_of(root / "benchmarks", "**/*.[mj]*"),
        ]
    if any(item.language == "macro" and item.code.startswith(ROOM_MACROS) for item in items):
        sources.append(_hash_of(root / "docs", "**/*.md"))
    versions = [platform.python_version(), *map(_version, VERSIONS)]
    return hashlib.sha256(repr((name, code, sources, versions)).encode()).hexdigest()


@cache
def _hash_of(folder: Path, pattern: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob(pattern)):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"
