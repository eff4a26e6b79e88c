"""What middleware and log handler report over real web servers, to a real collector that is killed in between."""

from __future__ import annotations

import io
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from deploy.local.kafka.topics import create_topics
from schemas.event import Event
from snag_sdk import Client
from snag_sdk import asgi as asgi_middleware
from snag_sdk import wsgi as wsgi_middleware
from snag_sdk.log_handler import SnagHandler
from tests.contract.test_ingest_http import CollectorProcess, read_events
from tests.support.stack import KafkaServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.integration

DEADLINE_S = 120  # a loaded machine
SLOW_S = 1.2  # above the middleware's second
LOG = logging.getLogger("shop.orders")
STATUS = {"/ok": 200, "/slow": 200, "/busy": 503, "/raises": 500, "/logs": 200, "/nowhere": 404}


def answered(path: str, visitor: str) -> int:
    """The shop's only view: the status for `path`, which may take long, log or raise."""
    if path == "/slow":
        time.sleep(SLOW_S)
    if path == "/logs":
        LOG.error("no stock of %s", "sku1", extra={"visitor_id": visitor, "session_id": "s1"})
    if path == "/raises":
        raise KeyError("cart")
    return STATUS[path]


def asgi_shop(client: Client) -> AbstractContextManager[str]:
    def view(request: Request) -> Response:
        return PlainTextResponse("", answered(request.url.path, request.headers["x-snag-visitor-id"]))

    app = asgi_middleware.SnagMiddleware(Starlette(routes=[Route("/{path}", view)]), client)
    return over_uvicorn(app)


@contextmanager
def over_uvicorn(app: Any) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, DEADLINE_S, "uvicorn serves")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server uses
        pass

    def get_stderr(self) -> Any:
        return io.StringIO()  # wsgiref writes the shop's traceback there


@contextmanager
def wsgi_shop(client: Client) -> Iterator[str]:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        status = answered(environ["PATH_INFO"], environ["HTTP_X_SNAG_VISITOR_ID"])
        start_response(f"{status} Said", [("Content-Length", "0")])
        return [b""]

    with make_server("127.0.0.1", 0, wsgi_middleware.SnagMiddleware(app, client), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def collector(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    process = CollectorProcess(tmp_path_factory.mktemp("sdk-web"), kafka.bootstrap)
    create_topics(process.kafka)
    process.start()
    try:
        process.wait_ready()
        yield process
    finally:
        process.kill()


def visit(shop: str, visitor: str) -> None:
    """One visitor opens every page, and gets what the shop answers."""
    for path, status in STATUS.items():
        headers = {"X-Snag-Visitor-Id": visitor, "X-Snag-Session-Id": "s1"}
        try:
            with urllib.request.urlopen(urllib.request.Request(shop + path, headers=headers)) as answer:
                assert answer.status == status
        except urllib.error.HTTPError as error:
            assert error.code == status, path
            error.close()


def told_of(collector: CollectorProcess, visitor: str) -> dict[str, Event]:
    """The visitor's events in Kafka, each once; slow answers of a busy machine are left out."""
    events = {event.event_id: event for event in read_events(collector.kafka) if event.visitor_id == visitor}
    return {
        id_: event
        for id_, event in events.items()
        if event.type != "slow_response" or event.props["request_path"] == "/slow"
    }


@pytest.mark.parametrize(("kind", "open_shop"), [("asgi", asgi_shop), ("wsgi", wsgi_shop)])
def test_errors_slow_answers_and_logs_arrive_once_with_their_visitor_over_a_killed_collector(
    collector: CollectorProcess, kind: str, open_shop: Callable[[Client], AbstractContextManager[str]]
) -> None:
    lost: list[Exception] = []
    host = f"http://127.0.0.1:{collector.port}"
    visitors = [f"{kind}-{when}" for when in ("before", "while away", "after")]
    with Client("wk_local", host=host, max_retries=60, on_error=lambda error, _: lost.append(error)) as client:
        handler = SnagHandler(client)
        LOG.addHandler(handler)
        try:
            with open_shop(client) as shop:
                visit(shop, visitors[0])
                collector.kill()
                visit(shop, visitors[1])
                collector.start()
                visit(shop, visitors[2])
        finally:
            LOG.removeHandler(handler)
        assert client.flush(DEADLINE_S)
    assert lost == []
    for visitor in visitors:
        wait_for(lambda visitor=visitor: len(told_of(collector, visitor)) >= 5, DEADLINE_S, f"all of {visitor}")
        told = told_of(collector, visitor).values()
        assert sorted((e.type, e.props.get("request_path", ""), e.props.get("status", 0)) for e in told) == [
            ("http_error", "/busy", 503),
            ("http_error", "/nowhere", 404),
            ("http_error", "/raises", 500),
            ("server_error", "", 0),
            ("slow_response", "/slow", 200),
        ]
        assert {event.session_id for event in told} == {"s1"}
        raised = next(event for event in told if event.props.get("request_path") == "/raises")
        assert (raised.kind, raised.message, raised.props["error_type"]) == ("error", "'cart'", "KeyError")
        logged = next(event for event in told if event.type == "server_error")
        assert (logged.message, logged.props["logger"]) == ("no stock of sku1", "shop.orders")
