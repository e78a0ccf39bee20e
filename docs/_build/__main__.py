"""`python docs/_build [PAGE ...]` runs the pages that changed and says how much of them runs."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _build.pages import all_pages, count, run_pages


def main() -> int:
    """Runs the pages that are named, or all."""
    started = time.monotonic()
    pages = [Path(name).resolve() for name in sys.argv[1:]] or all_pages()
    ran, failures = run_pages(pages)
    for page in sorted(ran, key=lambda page: -page.seconds)[:5]:
        print(f"{page.seconds:6.1f} s  {page.name}")
    if failures:
        print("\n".join(failures))
        return 1
    print(count(pages))
    print(f"{len(ran)} pages in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
