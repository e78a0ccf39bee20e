"""The site as it was built: a folder of HTML files."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def built_site(folder: Path) -> Path:
    """The folder that SITE_DIR names, or the site built anew below `folder`."""
    if given := os.environ.get("SITE_DIR"):
        return Path(given).resolve()
    site = folder / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", site]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return site


def html_of(page: Path) -> str:
    """The address of a Markdown page in the site."""
    name = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
    return name.replace("README.html", "index.html")
