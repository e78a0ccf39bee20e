"""`python docs/_build/course.py` follows Learn as a reader does who has the package alone.

Every snippet that is shown runs in the order of the chapters, in one session and an empty folder.
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
from _build.fences import PageError  # noqa: E402
from _build.run import follow  # noqa: E402

del sys.path[0]


def main() -> int:
    """Runs the chapters, says how long each took, and stops at what does not work."""
    found = importlib.util.find_spec("blocks")
    package = Path(found.origin).parent if found and found.origin else None
    if package is None or package.parent == ROOT / "src":
        print(
            "A reader has the package and no checkout: pip install . and run this with its Python."
        )
        return 2
    print(f"blocks is {package}")
    started, total = time.monotonic(), 0
    session = sys.modules["__main__"] = types.ModuleType("__main__")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for chapter in sorted((ROOT / "docs" / "learn").glob("[0-9][0-9]_*.md")):
                began = time.monotonic()
                snippets = follow(chapter, ROOT, session.__dict__)
                seconds = time.monotonic() - began
                print(f"{chapter.stem:26} {snippets:3} snippets {seconds:6.1f} s", flush=True)
                total += snippets
        except PageError as error:
            print(error)
            return 1
        except KeyboardInterrupt:
            print(f"Stopped in {chapter.relative_to(ROOT)}.")
            return 130
        finally:
            os.chdir(ROOT)
    print(f"The course works: {total} snippets in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
