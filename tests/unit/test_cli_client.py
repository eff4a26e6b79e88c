"""The client against a scripted HTTP server on the loopback: retries as asked, verdicts as given, clear failures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import orjson
import pytest

from snag.client import Collector, CollectorError, CollectorUnreachable
from tests.support.ports import free_port

Answer = tuple[int, dict[str, str], bytes]
Script = list[Answer]

OK: Answer = (200, {}, b'{"accepted":2,"rejected":[]}')
BUSY = b'{"code":"overloaded","message":"The collector is full.","detail":"","error":"The collector is full."}'


class Server(HTTPServer):
    """Answers each request with the script's next line; keeps what was asked. Status 0 breaks the connection."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[tuple[str, str, bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers["Authorization"], body))
        status, headers, answer = self.server.script.pop(0)
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server uses
        """Say nothing."""


@contextmanager
def serving(script: Script) -> Iterator[Server]:
    server = Server(script)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def client(server: Server, waits: list[float], patience_s: float = 60.0) -> Iterator[Collector]:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    url = f"http://127.0.0.1:{server.server_port}"
    with Collector(url, "wk_test", patience_s=patience_s, sleep=sleep, now=lambda: clock[0]) as collector:
        yield collector


def test_a_batch_is_posted_with_the_key_and_the_verdict_returned() -> None:
    bad = {"index": 1, "event_id": "b", "code": "missing_type", "field": "type", "message": "none"}
    answer = orjson.dumps({"accepted": 1, "rejected": [bad]})
    with serving([(200, {}, answer), OK]) as server, client(server, []) as collector:
        verdicts = collector.send([b'{"type":"a"}', b"{}"])
        collector.send([b"{}", b"{}"])
    assert (verdicts.accepted, verdicts.rejected[0].index, verdicts.rejected[0].code) == (1, 1, "missing_type")
    assert server.seen[0] == ("/v1/events", "Basic d2tfdGVzdDo=", b'{"batch":[{"type":"a"},{}]}')


def test_busy_answers_are_tried_again_after_the_time_the_collector_asks_for() -> None:
    waits: list[float] = []
    script = [(503, {"Retry-After": "7"}, BUSY), (429, {"Retry-After": "2"}, BUSY), OK]
    with serving(script) as server, client(server, waits) as collector:
        assert collector.send([b"{}"]).accepted == 2
    assert waits == [7.0, 2.0]
    assert len({body for _, _, body in server.seen}) == 1


def test_a_broken_connection_is_tried_again() -> None:
    waits: list[float] = []
    with serving([OK, (0, {}, b""), OK]) as server, client(server, waits) as collector:
        collector.send([b"{}"])
        assert collector.send([b"{}"]).accepted == 2
    assert waits == [0.1]


def test_patience_ends_with_the_reason() -> None:
    script = [(503, {"Retry-After": "5"}, BUSY)] * 4
    with serving(script) as server, client(server, [], patience_s=12) as collector:
        with pytest.raises(CollectorError, match=r"took nothing for 12 s.*answered 503: The collector is full"):
            collector.send([b"{}"])
        assert len(server.seen) == 3


def test_a_refusal_is_not_tried_again() -> None:
    problem = orjson.dumps({"code": "unauthorized", "message": "Wrong key.", "detail": "", "error": "Wrong key."})
    refused = pytest.raises(CollectorError, match=r"answered 401: Wrong key\.")
    with serving([(401, {}, problem)]) as server, client(server, []) as collector, refused:
        collector.send([b"{}"])


def test_another_server_at_the_address_is_recognised() -> None:
    refused = pytest.raises(CollectorError, match="not as a collector does")
    with serving([(200, {}, b"<html>")]) as server, client(server, []) as collector, refused:
        collector.send([b"{}"])


def test_nobody_listening_is_said_at_once() -> None:
    waits: list[float] = []
    nobody = Collector(f"http://127.0.0.1:{free_port()}", "k", sleep=waits.append)
    with nobody as collector, pytest.raises(CollectorUnreachable):
        collector.send([b"{}"])
    assert waits == []


@pytest.mark.parametrize("url", ["ftp://x", "http://", ""])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(CollectorError, match="no collector address"):
        Collector(url, "k")


def test_forgetting_names_whom_and_is_tried_again_like_events() -> None:
    script = [(503, {"Retry-After": "1"}, BUSY), (200, {}, b'{"listed":true}'), (200, {}, b'{"listed":true}')]
    with serving(script) as server, client(server, []) as collector:
        collector.forget(visitor_id="v1")
        collector.forget(user_id="u1", forget_key="secret")
    assert [path for path, _, _ in server.seen] == ["/v1/forget"] * 3
    assert [orjson.loads(body) for _, _, body in server.seen[1:]] == [
        {"visitor_id": "v1", "user_id": ""},
        {"visitor_id": "", "user_id": "u1"},
    ]
