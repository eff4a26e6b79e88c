"""A processor's HTTP port: /health, /ready with the reason why not, and /metrics, on the loopback interface."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

_HOST: Final = "127.0.0.1"
_JSON: Final = "application/json"

Check = Callable[[], str]
"""Why something is not well, as a sentence; empty when it is."""


def serve_health(
    port: int,
    *,
    ready: Check,
    registry: CollectorRegistry,
    alive: Check = lambda: "",
    observe: Callable[[], None] = lambda: None,
) -> ThreadingHTTPServer:
    """Serve in the background until `shutdown` is called on the result; port 0 takes a free one (`server_port`).

    The callables run on the server's threads; `observe` brings gauges up to date before each scrape. Raises OSError
    when the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/health":
                    self._verdict("healthy", alive())
                case "/ready":
                    self._verdict("ready", ready())
                case "/metrics":
                    observe()
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                case _:
                    self._answer(404, _JSON, b'{"error": "not found: there are /health, /ready and /metrics"}')

        def _verdict(self, word: str, reason: str) -> None:
            body: dict[str, Any] = {word: not reason}
            if reason:
                body["reason"] = reason
            self._answer(503 if reason else 200, _JSON, json.dumps(body).encode())

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            pass  # probes come every second

    server = ThreadingHTTPServer((_HOST, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
