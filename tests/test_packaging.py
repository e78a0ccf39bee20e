"""What is installed, promised in the metadata and locked for development."""

import hashlib
import importlib.metadata
import importlib.resources
import itertools
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from sources import SOURCES, distributions_imported_by, python_files

import blocks

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = SETTINGS["project"]
LOCK = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
PIN = r"[\w.-]+(?:\[[^\]\n]*\])?=="
PYTHONS = ("3.11", "3.12", "3.13")
# Of the text as its authors publish it, at apache.org/licenses/LICENSE-2.0.txt.
APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def requirements(*extras: str) -> list[Requirement]:
    lists = [
        PROJECT["dependencies"],
        *(PROJECT["optional-dependencies"][extra] for extra in extras),
    ]
    return [Requirement(text) for text in itertools.chain(*lists)]


def locked(python: str) -> dict[str, str]:
    """Versions in the lock file, by name, for Linux and one version of Python."""
    environment = {
        "python_full_version": f"{python}.9",
        "python_version": python,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
    }
    pins = {}
    for line in re.findall(rf"^{PIN}[^\\\n]+", LOCK, flags=re.MULTILINE):
        pin = Requirement(line.strip())
        if pin.marker is None or pin.marker.evaluate(environment):
            (version,) = pin.specifier
            pins[canonicalize_name(pin.name)] = version.version
    return pins


def requires(name: str) -> list[str]:
    """What an installed distribution asks for; nothing for one that is not installed here."""
    try:
        return importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def test_the_installed_package_is_this_version():
    assert importlib.metadata.version("linen-blocks") == blocks.__version__


@pytest.mark.parametrize("package", ["blocks", "recipes"])
def test_type_checkers_are_told_that_the_package_is_typed(package):
    assert (importlib.resources.files(package) / "py.typed").is_file()


def test_nothing_but_the_two_packages_is_installed():
    files = importlib.metadata.files("linen-blocks") or []
    folders = {file.parts[0] for file in files if not file.name.endswith(".pth")}
    if "blocks" not in folders:
        pytest.skip("installed as editable: the files stay in the checkout")
    assert {name.partition("-")[0] for name in folders} == {"blocks", "recipes", "linen_blocks"}


def test_the_licence_is_the_whole_text():
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2_0


def test_the_readme_starts_with_the_two_commands():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line.partition("#")[0].strip() for line in lines[3:5]]
    assert commands == [
        "pip install . && python -m recipes.nanogpt",
        'pip install ".[test]" && pytest',
    ]


def test_the_classifiers_name_the_versions_of_python_that_are_allowed():
    allowed = SpecifierSet(PROJECT["requires-python"])
    minors = {f"3.{minor}" for minor in range(30) if f"3.{minor}.0" in allowed}
    named = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3." in c}
    assert minors == named == set(PYTHONS)


def test_every_dependency_has_a_lower_bound():
    unbounded = [
        str(requirement)
        for requirement in requirements("test", "docs", "lint", "browser")
        if not {">=", "=="} & {bound.operator for bound in requirement.specifier}
    ]
    assert not unbounded


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_file_satisfies_the_requirements(python):
    versions = locked(python)
    wrong = [
        f"{requirement}, locked: {version}"
        for requirement in requirements("test", "docs", "lint", "browser")
        if not (version := versions.get(canonicalize_name(requirement.name)))
        or not requirement.specifier.contains(version)
    ]
    assert not wrong


def test_the_lock_file_has_a_hash_for_every_pin_and_no_address():
    pins = re.split(rf"^(?={PIN})", LOCK, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in pin for pin in pins)
    assert not re.search(r"://|^\s*(-i|-f|--index|--extra-index|--find-links)", LOCK, re.MULTILINE)


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_file_pins_extras_by_name(python):
    """Without its extra a pin does not bind `coverage[toml]`, and pip then refuses a newer one."""
    wanted = {
        (canonicalize_name(need.name), extra)
        for name in locked(python)
        for need in map(Requirement, requires(name))
        if need.marker is None or need.marker.evaluate({"extra": ""})
        for extra in need.extras
    }
    assert wanted
    for name, extra in wanted:
        assert re.search(rf"^{name}\[[^\]]*\b{extra}\b[^\]]*\]==", LOCK, re.MULTILINE), name


def test_what_is_required_is_imported_and_what_is_imported_is_required():
    """Of the two packages, with what `hf` and `data` are for; tests and docs have extras."""
    imported = set().union(*map(distributions_imported_by, python_files(SOURCES)))
    owners = importlib.metadata.packages_distributions()
    others = imported - {"blocks", "recipes"}
    used = {canonicalize_name(owner) for name in others for owner in owners.get(name, [name])}
    required = {canonicalize_name(requirement.name) for requirement in requirements("hf", "data")}
    assert required == used


def test_the_hooks_before_a_commit_are_those_of_the_formatter_and_linter():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    (ruff,) = (r for r in PROJECT["optional-dependencies"]["lint"] if r.startswith("ruff"))
    assert re.findall(r"rev: v(.+)", text) == [ruff.partition("==")[2]]
    assert re.findall(r"- id: (.+)", text) == ["ruff-check", "ruff-format"]


def test_the_hosted_checks_run_for_changes_and_weekly_on_the_oldest_and_the_newest_python():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "if: github.event_name != 'schedule'\n        run: .ci/run\n" in text
    assert "if: github.event_name == 'schedule'\n        run: .ci/run all\n" in text
    assert re.search(r'  schedule:\n    - cron: "\d+ \d+ \* \* \d"\n', text)
    assert "chromium chromium-driver" in text
    assert f"image: python:{PYTHONS[0]}-" in text
    assert f"uv python install {PYTHONS[-1]} " in text


def test_types_are_checked_on_the_oldest_and_the_newest_python():
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'types_of tools "$python"' in text
    assert 'types_of newest "$newest"' in text
    assert SETTINGS["tool"]["basedpyright"]["pythonVersion"] == PYTHONS[0]


@pytest.mark.slow
def test_what_is_published_runs_where_nothing_else_is(tmp_path):
    """The wheel comes from the sdist, as `python -m build` makes it."""
    python = tmp_path / "fresh" / "bin" / "python"
    dist = tmp_path / "dist"

    def run(*words: object) -> str:
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("PYTHON", "JAX_"))}
        command = list(map(str, words))
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(sys.executable, "-m", "build", "--outdir", dist, ROOT)
    assert len(list(dist.glob("*.tar.gz"))) == 1
    (wheel,) = dist.glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "fresh")
    run(python, "-m", "pip", "install", "--quiet", wheel)
    assert "usage" in run(python, "-m", "recipes.nanogpt", "--help")
    assert run(python, "-c", "import blocks; print(blocks.__version__)").strip() in wheel.name
    places = run(python, "-c", "import blocks, recipes; print(blocks.__file__, recipes.__file__)")
    assert places.count(str(tmp_path / "fresh")) == 2
