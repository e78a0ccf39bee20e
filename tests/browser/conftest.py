"""Chromium, without a window, and the built site on a server of this machine."""

import contextlib
import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from built_site import built_site

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SEARCH = "search/search_index.json"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@functools.cache
def first_page(site: str) -> bytes:
    """What is searched, with one page alone."""
    search = json.loads(Path(site, SEARCH).read_text(encoding="utf-8"))
    return json.dumps({**search, "docs": search["docs"][:1]}).encode()


class FewWords(Quiet):
    """Serves the site with its first page alone to search.

    A page reads all words of the site as it loads, to search them, which takes it seconds.
    """

    def do_GET(self) -> None:
        """A file, or a search that is small."""
        if self.path != f"/{SEARCH}":
            super().do_GET()
            return
        body = first_page(self.directory)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    return built_site(tmp_path_factory.mktemp("built"))


@contextlib.contextmanager
def served(handler: type[Quiet], site: Path) -> Iterator[str]:
    """The address of a folder on a server of this machine."""
    serve = functools.partial(handler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def address(site) -> Iterator[str]:
    """The site, whose search knows one page."""
    with served(FewWords, site) as address:
        yield address


@pytest.fixture(scope="session")
def searchable(site) -> Iterator[str]:
    """The site as it is."""
    with served(Quiet, site) as address:
        yield address


@pytest.fixture(scope="session")
def driver(tmp_path_factory) -> Iterator[object]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs the extra `browser`")
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    paths = ["/usr/bin/chromium", "/usr/bin/chromedriver"]
    service = None
    if all(Path(path).exists() for path in paths):
        options.binary_location = paths[0]
        service = webdriver.ChromeService(executable_path=paths[1])
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture
def browser(driver) -> SimpleNamespace:
    """The driver, how to open a page, and how to set what a reader's device says."""

    def open(address: str) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        driver.get(address)
        # On a busy machine `get` has come back before the page's own scripts had run.
        ready = "return document.readyState === 'complete'"
        WebDriverWait(driver, 60, 0.02).until(lambda _: driver.execute_script(ready))

    def look(scheme: str = "light", width: int = 1280) -> None:
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    look()
    return SimpleNamespace(driver=driver, open=open, look=look)
