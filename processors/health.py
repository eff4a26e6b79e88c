"""The small HTTP face of a processor: /health, /ready with the reason why not, /metrics. On a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from schemas.metrics import Metrics

Reason = Callable[[], str]
"""Why the part is not ready; empty when it is. Called on the server's thread."""


def serve_health(
    port: int, not_ready: Reason, metrics: Metrics, observe: Callable[[], None] = lambda: None
) -> ThreadingHTTPServer:
    """Serve on 127.0.0.1:`port` (0 takes a free one; see `server_port`) until the process ends or `shutdown()`.

    `observe` brings gauges up to date before each scrape. Raises OSError when the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                observe()
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
            elif self.path == "/health":
                self._answer(200, "application/json", b'{"status":"ok"}')
            elif self.path == "/ready":
                reason = not_ready()
                body = orjson.dumps({"status": "starting", "reason": reason} if reason else {"status": "ready"})
                self._answer(503 if reason else 200, "application/json", body)
            else:
                self._answer(404, "application/json", b'{"error":"unknown path; try /ready, /health or /metrics"}')

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Health checks every second are not worth a line each."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
