"""The code of the README and of every page runs, by the executor that builds the site."""

import ast
import os
import subprocess
import sys

import pytest

from _build import compiler
from _build.fences import PageError, read
from _build.pages import ROOT, Page, all_pages, count, run_pages
from _build.run import run_page

NAMES = [str(page.relative_to(ROOT)) for page in all_pages()]
# What `pip install linen-blocks` brings and a reader may import; an extra where the page names it.
INSTALLED = {"blocks", "recipes", "jax", "flax", "optax", "numpy", "chex", "jaxtyping", "grain"}
EXTRAS = {"linen-blocks[data]": {"pyarrow"}}


@pytest.fixture(scope="session")
def ran() -> tuple[dict[str, Page], str]:
    """All pages, run at once: the processes share one import of JAX, and what a build has run."""
    pages, failures = run_pages(all_pages())
    return {page.name: page for page in pages}, "\n".join(failures)


@pytest.mark.slow
def test_the_snippets_of_the_readme_run():
    pages, failures = run_pages([ROOT / "README.md"])
    assert [page.name for page in pages] == ["README.md"], failures


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_snippets_of_a_page_run(name, ran):
    pages, failures = ran
    assert name in pages, failures


def test_the_model_of_the_readme_gives_the_shape_that_its_comment_says(run_text):
    snippet = next(item for item in read(ROOT / "README.md", ROOT) if item.language == "python")
    assert run_text(f"```python\n{snippet.code}\nlogits.shape\n```")[0]["text"] == "(1, 16, 256)\n"


def test_what_a_reader_copies_imports_what_the_reader_has():
    """Figures are drawn by hidden code; what is shown needs nothing but the package."""
    others = {name: imported_by_what_is_shown(name) - INSTALLED for name in NAMES}
    for name, modules in others.items():
        for extra, brought in EXTRAS.items():
            modules -= brought if extra in (ROOT / name).read_text(encoding="utf-8") else set()
    others = {name: modules - sys.stdlib_module_names for name, modules in others.items()}
    assert not {name: modules for name, modules in others.items() if modules}


def imported_by_what_is_shown(name: str) -> set[str]:
    shown = [
        i for i in read(ROOT / name, ROOT) if i.language == "python" and "hide" not in i.options
    ]
    modules = set()
    for node in ast.walk(ast.parse("\n".join(item.code for item in shown))):
        if isinstance(node, ast.Import):
            modules.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").partition(".")[0])
    return modules


@pytest.fixture
def run_text(tmp_path, monkeypatch):
    """Runs the text of a page in this process."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])

    def run(text: str) -> list[dict[str, str]]:
        page = tmp_path / "page.md"
        page.write_text(text, encoding="utf-8")
        return run_page(page, tmp_path)

    return run


def test_a_snippet_shows_what_it_printed_and_its_last_value(run_text):
    results = run_text("```python\na = 1\nprint('one')\na + 1\n```\n\n```python\na * 3;\n```\n")
    assert [result["text"] for result in results] == ["one\n2\n", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# A page\n\n```python\na = 1\na / 0\n```", "5: ZeroDivisionError: division by zero"),
        ("```python\nimport sys\nsys.exit(0)\n```", "3: SystemExit: 0"),
        ("```python\na = 1\na = = 2\n```", "3: SyntaxError: invalid syntax"),
        ("- item\n\n    ```python\n    1 / 0\n    ```", "4: ZeroDivisionError: division by zero"),
        ("```shell\necho so\nexit 3\n```", "2: exit code 3, expected 0.\nso\n"),
        ("```python\nimport warnings\nwarnings.warn('old')\n```", "3: UserWarning: old"),
        ("{{ shapes(1) }}", "1: TypeError: 1 is not a module, class, method"),
        ('```python figure="a"\n1\n```', "2: the last value must be a figure, got int."),
    ],
)
def test_a_failure_names_page_line_and_message(text, message, run_text):
    with pytest.raises(PageError) as error:
        run_text(text + "\n")
    assert str(error.value).startswith(f"page.md:{message}")


def test_an_error_that_is_shown_on_purpose_must_come(run_text):
    good = "```python raises=ValueError\nint('x')\n```\n"
    assert run_text(good)[0]["error"].startswith("ValueError: invalid literal for int()")
    with pytest.raises(PageError, match="raises=ValueError was promised and nothing was raised"):
        run_text(good.replace("int('x')", "1"))
    with pytest.raises(PageError, match=r"page\.md:2: ZeroDivisionError: "):
        run_text(good.replace("int('x')", "1 / 0"))


def test_what_a_page_hides_is_not_there_for_what_it_shows(run_text):
    with pytest.raises(PageError, match=r"page\.md:6: NameError: name 'secret' is not defined"):
        run_text("```python hide\nsecret = 1\n```\n\n```python\nsecret\n```\n")


def test_a_flag_of_xla_that_was_chosen_is_left_alone(monkeypatch):
    chosen = " ".join(f"{flag}=7" for flag in compiler.FLAGS)
    monkeypatch.setenv("XLA_FLAGS", chosen)
    assert compiler.quick_flags() == chosen


def test_a_flag_that_xla_does_not_know_is_left_out(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    (known, value), *_ = compiler.FLAGS.items()
    monkeypatch.setattr(compiler, "FLAGS", {"--xla_no_such_flag": "1", known: value})
    assert compiler.quick_flags() == f"{known}={value}"


@pytest.mark.slow
def test_a_program_that_was_half_kept_is_compiled_anew_and_nothing_said(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    variables = {**os.environ, **compiler.kept_programs_variables()}
    command = [sys.executable, "-c", "import jax; print(jax.numpy.arange(3.0) * 2)"]

    def run() -> str:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    assert run() == "[0. 2. 4.]\n"
    kept = list(tmp_path.glob("*-cache"))
    assert kept
    for program in kept:
        program.write_bytes(program.read_bytes()[:-9])
    assert run() == "[0. 2. 4.]\n"


def test_shell_and_python_share_the_folder_of_the_page(run_text):
    text = "```python\nwith open('note', 'w') as file:\n    file.write('hello')\n```\n"
    assert run_text(text + "\n```shell\ncat note\n```\n")[1]["text"] == "hello"


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ("", "page.md:1: language '' of a fence must be one of"),
        ("pyton", "page.md:1: language 'pyton' of a fence must be one of"),
        ("python raise=ValueError", "page.md:1: option 'raise' is not one of"),
        ("python skip", 'page.md:1: option skip needs a value, as skip="...".'),
    ],
)
def test_a_fence_that_says_something_unknown_is_refused(info, message, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"```{info}\n1\n```\n", encoding="utf-8")
    with pytest.raises(PageError) as error:
        read(page, tmp_path)
    assert str(error.value).startswith(message)


def test_the_count_says_how_many_run_and_why_others_do_not(tmp_path):
    page = tmp_path / "page.md"
    page.write_text('```python\n1\n```\n\n```shell skip="needs a GPU"\nls\n```\n', encoding="utf-8")
    assert count([page], tmp_path).splitlines() == [
        "1 of 2 Python and shell snippets were executed (50%).",
        "Not run:",
        "  page.md:5: needs a GPU",
    ]
