"""A real headless Chromium for tests, and a server for the pages it visits."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.npm import installed_packages

BUNDLE_DEADLINE_S = 60
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server uses
        """Say nothing."""


@contextmanager
def file_server(directory: Path) -> Iterator[str]:
    """The files of a directory on a port of their own: another origin than the collector, so that CORS applies."""
    with http_server(partial(QuietHandler, directory=str(directory))) as address:
        yield address


@contextmanager
def http_server(handler: Any) -> Iterator[str]:
    """A server on a free loopback port with `handler`, a class as `http.server` wants it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def page_handler(
    answers: dict[str, tuple[int, str, bytes]], headers: Sequence[tuple[str, str]] = ()
) -> type[BaseHTTPRequestHandler]:
    """A handler that answers by path: (status, content type, body); 404 for every other path. All with `headers`."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = answers.get(self.path.split("?")[0], (404, "text/plain", b"not here"))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - likewise
            """Say nothing."""

    return Pages


def bundled(code: str) -> bytes:
    """The module `code` and the npm packages it imports, as one script."""
    packages = installed_packages()
    program = packages / f"page-{uuid.uuid4().hex}.mjs"
    program.write_text(code)
    esbuild = [str(packages / "node_modules" / ".bin" / "esbuild"), str(program)]
    try:
        done = subprocess.run(
            [*esbuild, "--bundle", "--format=esm", "--log-level=warning"],
            capture_output=True,
            timeout=BUNDLE_DEADLINE_S,
            check=False,
        )
    finally:
        program.unlink()
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def chromium(config: pytest.Config) -> str:
    """The browser's path; without one the test is skipped, loudly."""
    found = shutil.which("chromium")
    if found is None:
        reason = "NO BROWSER TEST RAN: there is no chromium on PATH. Install it with: apt-get install chromium"
        capture = config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            print(f"\nWARNING: {reason}", file=sys.stderr)  # noqa: T201 - has to be seen beside the passing tests
        pytest.skip(reason)
    return found
