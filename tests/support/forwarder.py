"""A server in front of the collector that refuses, or swallows answers, as asked: how clients meet a bad day."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote_to_bytes

import brotli

Fault = Literal["429", "503", "swallow"]
"""What happens to one request: refused, or served by the collector and then answered 503, as if the answer got lost."""

ACKNOWLEDGED = (200, 204)
RETRY_AFTER_S = 1
TIMEOUT_S = 30
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


@dataclass
class Forwarder:
    """Forwards to `target`; the first requests that carry events meet `faults`, one each, in order.

    `acknowledged` holds the bodies, inflated, paths and headers of all requests that the collector answered 200 or 204.
    """

    target: tuple[str, int]
    faults: list[Fault]
    address: str = ""
    acknowledged: list[bytes] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> Fault | None:
        with self.lock:
            return self.faults.pop(0) if self.faults else None

    def was_acknowledged(self, id_: str) -> bool:
        """Whether a request with this text in it was answered 200 or 204."""
        needle = id_.encode()
        return any(needle in body for body in self.acknowledged)


def _handler(forwarder: Forwarder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_S

        def do_POST(self) -> None:
            body = self._body()
            fault = forwarder.next_fault()
            if fault in ("429", "503"):
                self._refuse(int(fault))
                return
            try:
                status, headers, answer = self._ask(body)
            except OSError:  # the collector is dead: so is this connection
                self.close_connection = True
                return
            if fault == "swallow":
                self._refuse(503)
                return
            if status in ACKNOWLEDGED:
                plain = _plain(body, self.headers.get("Content-Encoding", ""))
                forwarder.acknowledged.append(b"\n".join((plain, unquote_to_bytes(self.path), bytes(self.headers))))
            self._answer(status, headers, answer)

        do_GET = do_POST
        do_OPTIONS = do_POST

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                parts = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(*forwarder.target, timeout=TIMEOUT_S)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
                connection.request(self.command, self.path, body, headers)
                response = connection.getresponse()
                return response.status, response.getheaders(), response.read()
            except http.client.HTTPException as error:
                raise OSError("the collector died while it answered") from error
            finally:
                connection.close()

        def _refuse(self, status: int) -> None:
            problem = {"code": "refused_by_the_test", "message": "m", "detail": "d", "error": "e"}
            headers = [("Content-Type", "application/json"), ("Retry-After", str(RETRY_AFTER_S))]
            self._answer(status, headers, json.dumps(problem).encode())

        def _answer(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
            forwarder.statuses.append(status)
            try:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server uses
            """Say nothing."""

    return Handler


def _plain(body: bytes, encoding: str) -> bytes:
    if encoding == "br":
        return bytes(brotli.decompress(body))
    try:
        return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    except (OSError, EOFError, zlib.error):
        return body


@contextmanager
def forwarder(port: int, faults: Sequence[Fault] = ()) -> Iterator[Forwarder]:
    """A forwarder to the collector on loopback `port`, on a port of its own."""
    made = Forwarder(("127.0.0.1", port), list(faults))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    server.daemon_threads = True
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
