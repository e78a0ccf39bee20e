"""`python docs/_build/course.py FOLDER` runs the notebooks of Learn with the package alone.

Every code cell of the folder's notebooks runs in order, in one session and an empty folder. A
notebook's code is Python and shell, so `exec` runs it as a kernel would, without Jupyter. Programs
are compiled quickly, as those of the pages are. Chapters that are named after the folder are left
out, as in `FOLDER 11_swaps`.
"""

import importlib.util
import os
import sys
import tempfile
import time
import types
from pathlib import Path

ROOT = Path(__file__).parents[2]

# In the path for these imports alone: what lies beside the pages a reader does not have.
sys.path[0] = str(ROOT / "docs")
from _build.compiler import kept_programs_variables, quick_flags, quick_traces  # noqa: E402
from _build.fences import PageError  # noqa: E402
from _build.notebooks import code_cells  # noqa: E402
from _build.run import follow  # noqa: E402

del sys.path[0]


def main() -> int:
    """Runs the notebooks, says how long each took, and stops at what does not work."""
    found = sorted(Path(sys.argv[1]).resolve().glob("*.ipynb")) if sys.argv[1:] else []
    left_out = sys.argv[2:]
    if unknown := {*left_out} - {path.stem for path in found}:
        print(f"No chapter: {', '.join(sorted(unknown))}.")
        return 2
    notebooks = [path for path in found if path.stem not in left_out]
    if not notebooks:
        print("Name the folder of the notebooks: SITE/learn, or that of docs/_build/notebooks.py.")
        return 2
    spec = importlib.util.find_spec("blocks")
    package = Path(spec.origin).parent if spec and spec.origin else None
    if package is None or package.parent == ROOT / "src":
        print(
            "A reader has the package and no checkout: pip install . and run this with its Python."
        )
        return 2
    print(f"blocks is {package}")
    # Programs are those of the pages: what a build of the site has compiled is loaded.
    os.environ |= kept_programs_variables()
    os.environ |= {"XLA_FLAGS": quick_flags(), "JAX_DISABLE_MOST_OPTIMIZATIONS": "true"}
    quick_traces()
    started, total = time.monotonic(), 0
    session = sys.modules["__main__"] = types.ModuleType("__main__")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for chapter in notebooks:
                began = time.monotonic()
                cells = follow(code_cells(chapter), session.__dict__)
                seconds = time.monotonic() - began
                print(f"{chapter.stem:26} {cells:3} cells {seconds:6.1f} s", flush=True)
                total += cells
        except PageError as error:
            print(error)
            return 1
        except KeyboardInterrupt:
            print(f"Stopped in {chapter.name}.")
            return 130
        finally:
            os.chdir(ROOT)
    print(f"The course works: {total} cells in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
