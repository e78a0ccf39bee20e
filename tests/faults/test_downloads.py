"""Downloads that are wrong, cut short or endless: nothing of them is kept."""

import hashlib
import os
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from recipes.data.files import download, write_atomically
from recipes.errors import RecipeError

pytestmark = pytest.mark.fault(39)

CONTENT = b"To be, or not to be.\n" * 50
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers a path with the fault that it names."""

    def do_GET(self):
        self.server.requests.append(self.path)
        name = self.path.strip("/")
        if name == "loop":
            self._head(302, Location="/loop")
        elif name == "moved":
            self._head(302, Location="/good")
        elif name == "elsewhere":
            self._head(302, Location="file:///etc/hostname")
        elif name == "garbage":
            self.wfile.write(b"this is not HTTP\r\n\r\n")
        elif name == "missing":
            self._head(404)
        elif name == "silent":
            self.server.stopping.wait(10)
        elif name == "dripping":
            self._head(200)
            self._drip(CONTENT)
        elif name == "dripping-head":
            self._drip(b"HTTP/1.0 200 OK\r\nX-Long: " + CONTENT)
        elif name == "cut":
            self._head(200, **{"Content-Length": str(len(CONTENT))})
            self.wfile.write(CONTENT[:100])
        elif name == "altered":
            self._head(200)
            self.wfile.write(CONTENT.replace(b"not", b"now"))
        else:
            self._head(200)
            self.wfile.write(CONTENT)

    def _drip(self, content):
        """Sends a byte every tenth of a second, until the test ends."""
        for byte in content:
            if self.server.stopping.wait(0.1):
                return
            self.wfile.write(bytes([byte]))

    def log_message(self, format, *args):
        pass

    def _head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests, server.stopping = [], threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.stopping.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "text.txt"


def fetch(url: str, path: Path, max_bytes: int = 10_000, timeout: float = 10) -> bytes:
    return download(url, path, sha256=SHA256, max_bytes=max_bytes, timeout=timeout)


@pytest.mark.parametrize("page", ["good", "moved"])
def test_a_right_download_is_returned_and_kept(server, kept, page):
    assert fetch(f"{server.url}/{page}", kept) == CONTENT
    assert kept.read_bytes() == CONTENT
    assert os.listdir(kept.parent) == [kept.name]


def test_the_second_time_nothing_is_downloaded(server, kept):
    fetch(f"{server.url}/good", kept)
    assert fetch(f"{server.url}/good", kept) == CONTENT

    assert server.requests == ["/good"]


def test_a_damaged_cached_file_is_downloaded_again(server, kept):
    write_atomically(kept, CONTENT[:-1])

    assert fetch(f"{server.url}/good", kept) == CONTENT
    assert kept.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        ("altered", r"The 1050 bytes from \S+/altered have SHA-256 [0-9a-f]{64} instead of"),
        ("cut", r"(The 100 bytes from \S+ have SHA-256|failed: IncompleteRead\(100 bytes read)"),
        ("loop", r"Downloading \S+/loop failed: HTTP Error 302: .* infinite loop"),
        ("elsewhere", r"Downloading \S+/elsewhere failed: HTTP Error 302: .* not allowed"),
        ("garbage", r"Downloading \S+/garbage failed: this is not HTTP"),
        ("missing", r"Downloading \S+/missing failed: HTTP Error 404: Not Found"),
    ],
)
def test_of_a_wrong_download_nothing_is_kept(server, kept, page, cause):
    with pytest.raises(RecipeError, match=cause) as caught:
        fetch(f"{server.url}/{page}", kept)

    assert "\n" not in str(caught.value)
    assert not kept.parent.exists()


def test_a_download_larger_than_expected_is_refused(server, kept):
    with pytest.raises(RecipeError, match="sends more than the 1049 bytes"):
        fetch(f"{server.url}/good", kept, max_bytes=len(CONTENT) - 1)

    assert not kept.parent.exists()


def test_a_silent_server_is_given_up(server, kept):
    with pytest.raises(RecipeError, match=r"silent failed: .*timed out"):
        fetch(f"{server.url}/silent", kept, timeout=0.2)


@pytest.mark.fault(56)
@pytest.mark.parametrize("page", ["dripping", "dripping-head"])
def test_a_server_that_sends_a_byte_at_a_time_is_given_up(server, kept, page):
    """The whole would take a hundred seconds; no single read times out."""
    began = time.monotonic()
    with pytest.raises(RecipeError, match=rf"{page} failed: it took more than 0.5 seconds"):
        download(f"{server.url}/{page}", kept, sha256=SHA256, max_bytes=10_000, patience=0.5)

    assert time.monotonic() - began < 60
    assert not kept.parent.exists()


def test_an_unreachable_server_is_named(monkeypatch, kept):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/good"
        with pytest.raises(RecipeError, match=re.escape(f"Downloading {url} failed: [Errno ")):
            fetch(url, kept)


def test_a_malformed_address_is_named(kept):
    with pytest.raises(RecipeError, match=r"Downloading http://\[example/text failed: "):
        fetch("http://[example/text", kept)


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")

    with pytest.raises(RecipeError, match=r"cannot be kept in .*cache/text.txt.*XDG_CACHE_HOME"):
        fetch(f"{server.url}/good", tmp_path / "cache" / "text.txt")


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(monkeypatch, kept):
    def full(*_):
        raise OSError(28, "No space left on device")

    write_atomically(kept, b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(kept, b"new")

    assert kept.read_bytes() == b"old"
    assert os.listdir(kept.parent) == [kept.name]
