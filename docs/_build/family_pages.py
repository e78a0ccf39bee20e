"""A page for each family of published models, from its file and the tests' configurations."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from pathlib import Path
from types import ModuleType

from _build import families, macros, rooms
from _build.families import Home
from recipes.weights.config import Config
from recipes.weights.families import family_of

# In a search they stand behind the pages of blocks, whose names they are full of.
HEAD = "---\nsearch:\n  boost: 0.2\n---\n"
PLACE = f"recipes/{families.FOLDER}"
ARXIV = re.compile(r"arXiv:(\d{4}\.\d{5})")
AXES = {2: "batch, seq", 3: "batch, time, mel", 4: "batch, height, width, channels"}


class FamilyError(Exception):
    """A family of which no page can be written: its file, what is missing, and what to do."""


def pages(root: Path) -> dict[str, str]:
    """The Markdown of each family's page, by its place below `docs`."""
    return {
        f"{PLACE}/{home.name}.md": rooms.resolved(page(home, root)) for home in families.homes()
    }


def page(home: Home, root: Path) -> str:
    """The page of a family.

    Raises:
        FamilyError: a file without references, or a family that the tests have no row of.
    """
    references = _references(home)
    rows = [name for name in families.models_of(root) if families.home_of(root, name) is home]
    if not rows:
        raise FamilyError(
            f"{home.name}.py: no row of tests/support/recipes_rows is of this family; add one."
        )
    sections = [
        f"# {home.title}",
        home.said,
        f"One of the [published models](../{families.FOLDER}.md), in "
        f"[`{home.name}.py`](#source){_built_on(home)}.",
        "## Loading it",
        _loading(home, rows, root),
        "## As a value",
        f"{'These are the tiny models' if rows[1:] else 'This is the tiny model'} that the tests "
        "compare, with options away from their defaults.",
        *(_value(name, root) for name in rows),
        "## What tells it apart { data-search-exclude }",
        *(_apart(name, root) for name in rows),
        "## References",
        references,
        "## Source",
        macros.source(home.module, root),
    ]
    return HEAD + "\n\n".join(sections) + "\n"


def _references(home: Home) -> str:
    """The papers of a family, each a line of a list."""
    listed = (inspect.getdoc(home.module) or "").partition("References:\n")[2]
    if not (home.said and listed):
        raise FamilyError(
            f"{home.name}.py: its docstring must say `Name: what it is.` and, under `References:`, "
            "the papers, each ending in a full stop."
        )
    # A line that does not end in a full stop goes on in the next.
    joined = re.sub(r"(?<!\.)\n", " ", textwrap.dedent(listed).rstrip())
    linked = ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", joined)
    return "\n".join(f"- {line}" for line in linked.splitlines())


def _built_on(home: Home) -> str:
    """The families whose value or names the file begins with."""
    used = {id(value) for value in vars(home.module).values() if isinstance(value, ModuleType)}
    links = [
        f"[{other.title}]({other.name}.md)"
        for other in families.homes()
        if id(other.module) in used
    ]
    return f", which builds on that of {_joined(links, 'and')}" if links else ""


def _loading(home: Home, rows: list[str], root: Path) -> str:
    """Which configurations are of this family, and how a folder becomes a model."""
    configs = [families.config_of(root, name) for name in rows]
    types = [config["model_type"] for config in configs]
    tested = {name for config in configs for name in config["architectures"]}
    by_type = [f"`{kind}`" for kind in home.kinds if kind in types]
    by_name = [f"`{kind}`" for kind in home.kinds if kind not in types]
    said = []
    if by_type:
        said.append(f"`model_type` is {_joined(by_type, 'or')}")
    if by_name:
        said.append(f"`architectures` has {_joined(by_name, 'or')}")
    model = families.models_of(root)[rows[0]]
    shapes = family_of(Config(configs[0])).inputs(Config(configs[0]))
    names = list(inspect.signature(type(model).__call__).parameters)[1 : 1 + len(shapes)]
    arrays = [
        f"`{name}: {array.dtype}[{AXES[array.ndim]}]`"
        for name, array in zip(names, shapes, strict=True)
    ]
    code = (
        "from recipes.weights import load\n\n"
        'model, params, tokenizer = load("folder")\n'
        f'outputs = model.apply({{"params": params}}, {", ".join(names)})'
    )
    return (
        f"```python\n{code}\n```\n\n"
        f"`folder` holds weights and a `config.json` whose {', or '.join(said)}; it may be a name "
        f"on the hub too. The model is called with {_joined(arrays, 'and')}. What else it can do: "
        f"[load, change, save](../{families.FOLDER}.md#load-change-save). Its outputs are held to "
        f"those of {_joined([f'`{name}`' for name in sorted(tested)], 'and')} in transformers."
    )


def _value(name: str, root: Path) -> str:
    config = json.dumps(families.config_of(root, name), indent=2)
    model = families.models_of(root)[name]
    folded = textwrap.indent(f"```json\n{config}\n```", " " * 4)
    return (
        f"### {name} {{#{name} data-search-exclude}}\n\n```python\n{model}\n```\n\n"
        f'??? note "Its config.json"\n\n{folded}'
    )


def _apart(name: str, root: Path) -> str:
    """The differences from the nearest relative, and the rows that are told apart from this one."""
    models, parent = families.models_of(root), families.parents_of(root).get(name)
    children = [_link(child, root) for child in families.children_of(root, name)]
    below = f"\n\nIt is the nearest relative of {', '.join(children)}." if children else ""
    if parent is None:
        kind = type(models[name]).__name__
        return f"**{name}** begins the tree of [`{kind}`][blocks.{kind}] models.{below}"
    rows = [
        f"- {', '.join(f'`{path}`' for path in change.paths)}: "
        + " → ".join(f"`{side}`" for side in str(change).split(" -> "))
        for change in families.told(models[parent], models[name])
    ]
    what = "in this, sizes aside:\n\n" + "\n".join(rows) if rows else "in sizes alone."
    return f"**{name}** differs from its nearest relative, {_link(parent, root)}, {what}{below}"


def _link(name: str, root: Path) -> str:
    return f"[{name}]({families.home_of(root, name).name}.md#{name})"


def _joined(words: list[str], last: str) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
