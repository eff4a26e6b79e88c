"""The Python SDK without a collector: events, retries, verdicts, middleware, the log handler."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snag_sdk import AsyncClient, BadAnswerError, Client, EventRefusedError, SnagError
from snag_sdk import asgi as asgi_middleware
from snag_sdk import wsgi as wsgi_middleware
from snag_sdk.delivery import Delivery
from snag_sdk.event import encode, make_event
from snag_sdk.log_handler import SnagHandler
from snag_sdk.outbox import Outbox
from snag_sdk.requests_seen import who_from
from snag_sdk.retry import RetryPolicy, outcome, read_retry_after
from snag_sdk.testing import AsyncRecordingClient, RecordingClient
from snag_sdk.transport import Answer, Transport

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Losses:
    def __init__(self) -> None:
        self.told: list[tuple[SnagError, list[dict[str, Any]]]] = []

    def __call__(self, error: SnagError, events: Iterable[dict[str, Any]]) -> None:
        self.told.append((error, list(events)))


def fail_with(error: Exception) -> Exception:
    """The error as it is after it was raised, with a traceback."""
    try:
        raise error
    except type(error) as raised:
        return raised


def test_an_event_has_its_id_and_time_from_the_start_and_only_the_fields_given() -> None:
    event = make_event("order_completed", visitor_id="v", timestamp=NOW, props={"value": 5}, url="/done")
    assert event == {
        "event_id": event["event_id"],
        "type": "order_completed",
        "ts": "2026-11-25T12:00:00.000+00:00",
        "visitor_id": "v",
        "url": "/done",
        "props": {"value": 5},
    }
    assert len(event["event_id"]) == 36


def test_a_timestamp_of_another_zone_becomes_utc() -> None:
    moment = NOW.astimezone(timezone(timedelta(hours=-5)))
    assert make_event("click", timestamp=moment)["ts"] == "2026-11-25T12:00:00.000+00:00"


@pytest.mark.parametrize("props", [{"v": float("nan")}, {"text": "x" * 300_000}])
def test_an_event_that_cannot_be_sent_is_refused_with_the_reason(props: dict[str, Any]) -> None:
    with pytest.raises(EventRefusedError, match="click"):
        encode(make_event("click", props=props))


def test_a_cycle_is_refused_and_a_date_becomes_text() -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    with pytest.raises(EventRefusedError):
        encode(make_event("click", props=loop))
    assert json.loads(encode(make_event("click", props={"at": NOW})))["props"] == {"at": "2026-11-25 12:00:00+00:00"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, "sent") for status in (200, 202)),
        *((status, "retry") for status in (0, 408, 425, 429, 500, 503)),
        *((status, "refused") for status in (302, 400, 401, 413, 501, 505)),
    ],
)
def test_what_a_status_means(status: int, expected: str) -> None:
    assert outcome(status) == expected


@given(attempt=st.integers(1, 10), chance=st.floats(0, 1), asked=st.none() | st.floats(0, 1e4))
def test_a_wait_lies_between_half_and_all_of_its_doubled_bound_and_keeps_retry_after(
    attempt: int, chance: float, asked: float | None
) -> None:
    policy = RetryPolicy(retries=10, first_s=0.5, longest_s=60)
    wait = policy.wait_s(attempt, asked, lambda: chance)
    bound = min(0.5 * 2 ** (attempt - 1), 60)
    assert wait is not None
    assert wait >= max(bound / 2, asked or 0)
    assert wait <= max(bound, asked or 0)
    assert policy.wait_s(11, asked, lambda: chance) is None


def test_retry_after_is_seconds_or_a_date() -> None:
    assert read_retry_after("7", NOW) == 7
    assert read_retry_after("Wed, 25 Nov 2026 12:00:30 GMT", NOW) == 30
    assert read_retry_after("Wed, 25 Nov 2026 11:00:00 GMT", NOW) == 0
    assert read_retry_after("soon", NOW) is None
    assert read_retry_after(None, NOW) is None


def test_a_batch_is_sent_again_until_the_tries_are_used_up_and_then_told_as_lost() -> None:
    losses = Losses()
    delivery = Delivery([b'{"type":"a"}', b'{"type":"b"}'], RetryPolicy(retries=2), losses)
    assert delivery.after(Answer(503)) is not None
    assert delivery.after(Answer(0, "ConnectionRefusedError")) is not None
    assert not losses.told
    assert delivery.after(Answer(503, "Kafka is away")) is None
    [(error, events)] = losses.told
    assert isinstance(error, BadAnswerError)
    assert "503 after 3 tries: Kafka is away" in str(error)
    assert events == [{"type": "a"}, {"type": "b"}]


def test_refused_events_are_told_one_by_one_and_not_sent_again() -> None:
    losses = Losses()
    delivery = Delivery([b'{"type":"a"}', b'{"type":"b"}'], RetryPolicy(), losses)
    verdicts = [{"index": 1, "code": "too_long", "field": "type", "message": "m"}, {"index": 9}, {"index": "x"}]
    assert delivery.after(Answer(200, rejected=verdicts)) is None
    [(error, events)] = losses.told
    assert isinstance(error, EventRefusedError)
    assert "too_long" in str(error)
    assert events == [{"type": "b"}]


def test_a_batch_body_is_what_the_collector_reads() -> None:
    body = json.loads(Delivery([b'{"type":"a"}', b'{"type":"b"}'], RetryPolicy(), Losses()).body())
    assert body["batch"] == [{"type": "a"}, {"type": "b"}]
    assert datetime.fromisoformat(body["sent_at"]).tzinfo is not None


@given(sizes=st.lists(st.integers(1, 40), max_size=30), most=st.integers(1, 8), bound=st.integers(1, 100))
def test_batches_keep_order_lose_nothing_and_respect_both_bounds(sizes: list[int], most: int, bound: int) -> None:
    outbox = Outbox(1000)
    events = [bytes([65 + i % 26]) * size for i, size in enumerate(sizes)]
    assert all(outbox.put(event) for event in events)
    outbox.close()
    taken: list[bytes] = []
    while batch := outbox.take(most, bound, 0):
        assert len(batch) <= most
        assert len(batch) == 1 or sum(map(len, batch)) <= bound
        taken += batch
        outbox.done()
    assert taken == events
    assert outbox.flush(0)


def test_a_full_or_closed_queue_takes_no_more_and_what_is_in_flight_counts() -> None:
    outbox = Outbox(2)
    assert outbox.put(b"1")
    assert outbox.put(b"2")
    assert not outbox.put(b"3")
    outbox.take(1, 100, 0)
    assert not outbox.put(b"3")
    assert not outbox.flush(0)
    outbox.done()
    assert outbox.put(b"3")
    outbox.close()
    assert not outbox.put(b"4")


def test_calls_never_raise_and_tell_why_an_event_is_lost() -> None:
    losses = Losses()
    client = RecordingClient(on_error=losses, before_send=lambda event: {**event, "props": event["missing"]})
    assert not client.track("click")
    assert not RecordingClient(on_error=losses).track("")
    assert not RecordingClient(on_error=losses).track("click", timestamp="yesterday")
    assert len(losses.told) == 3
    assert all(isinstance(error, EventRefusedError) for error, _ in losses.told)


def test_an_on_error_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("mine")

    assert not RecordingClient(on_error=broken).track("")
    assert "on_error failed" in caplog.text


def test_before_send_changes_or_drops_and_release_is_put_on_every_event() -> None:
    client = RecordingClient(release="r1", before_send=lambda e: None if e["type"] == "secret" else {**e, "page": "/p"})
    assert client.track("click")
    assert not client.track("secret")
    assert [(e["type"], e["page"], e["release"]) for e in client.events] == [("click", "/p", "r1")]


def test_the_doubles_take_the_place_of_both_clients() -> None:
    def calls(client: type) -> set[str]:
        return {name for name in dir(client) if not name.startswith("_")} | {
            name for name in ("__enter__", "__exit__", "__aenter__", "__aexit__") if hasattr(client, name)
        }

    assert calls(RecordingClient) == calls(Client) - {"after_fork_in_child"}
    assert calls(AsyncRecordingClient) == calls(AsyncClient)
    with RecordingClient() as client:
        assert client.track("click", event_id="e1")
        assert client.flush()

    async def run() -> AsyncRecordingClient:
        async with AsyncRecordingClient() as client:
            assert client.track("click", event_id="e2")
            assert await client.flush()
        return client

    kept = client.events + asyncio.run(run()).events
    assert [event["event_id"] for event in kept] == ["e1", "e2"]


def test_a_client_that_is_not_enabled_does_nothing() -> None:
    client = RecordingClient(enabled=False)
    assert not client.track("click")
    assert client.events == []


def test_an_exception_carries_class_and_frames_innermost_first_without_values() -> None:
    client = RecordingClient()
    client.capture_exception(fail_with(ValueError("bad total")), visitor_id="v")
    [event] = client.events
    assert (event["type"], event["kind"], event["message"], event["visitor_id"]) == (
        *("server_error", "error"),
        *("bad total", "v"),
    )
    assert event["props"]["error_type"] == "ValueError"
    assert event["props"]["frames"][0]["function"] == "fail_with"
    assert event["props"]["frames"][0]["in_app"] is True
    assert not client.capture_exception()


def test_a_host_that_is_no_address_is_refused_at_once() -> None:
    for host in ("", "ftp://x", "http://"):
        with pytest.raises(ValueError, match="no address"):
            Transport(host, "wk", path="/v1/events", timeout_s=1, compress=False)


def test_who_comes_from_headers_before_the_cookie() -> None:
    assert who_from({"cookie": "a=1; snag_visitor=vc"}).visitor_id == "vc"
    who = who_from({"cookie": "snag_visitor=vc", "x-snag-visitor-id": "vh", "x-snag-session-id": "s"})
    assert (who.visitor_id, who.session_id) == ("vh", "s")
    assert who_from({}).visitor_id is None


def run_asgi(status: int, client: RecordingClient, error: Exception | None = None, slow_after_s: float = 9) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        if error is not None:
            raise error
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing(*_: Any) -> Any:
        return {"type": "http.request"}

    scope = {
        **{"type": "http", "method": "GET", "scheme": "https", "path": "/pay", "query_string": b"a=1"},
        "headers": [(b"host", b"shop.example"), (b"x-snag-visitor-id", b"v")],
    }
    asyncio.run(asgi_middleware.SnagMiddleware(app, client, slow_after_s=slow_after_s)(scope, nothing, nothing))


def run_wsgi(status: int, client: RecordingClient, error: Exception | None = None, slow_after_s: float = 9) -> None:
    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if error is not None:
            raise error
        start_response(f"{status} Said", [])
        return [b""]

    environ = {
        **{"REQUEST_METHOD": "GET", "wsgi.url_scheme": "https", "HTTP_HOST": "shop.example", "SCRIPT_NAME": ""},
        **{"PATH_INFO": "/pay", "QUERY_STRING": "a=1", "HTTP_X_SNAG_VISITOR_ID": "v"},
    }
    assert (
        b"".join(wsgi_middleware.SnagMiddleware(app, client, slow_after_s=slow_after_s)(environ, lambda *_: None))
        == b""
    )


@pytest.mark.parametrize("run", [run_asgi, run_wsgi])
def test_middleware_reports_404_5xx_slow_answers_and_nothing_else(run: Any) -> None:
    client = RecordingClient()
    run(200, client)
    assert client.events == []
    run(404, client)
    run(503, client)
    run(200, client, slow_after_s=0)
    assert [(e["type"], e["props"]["status"]) for e in client.events] == [
        *(("http_error", 404), ("http_error", 503), ("slow_response", 200)),
    ]
    assert {e["url"] for e in client.events} == {"https://shop.example/pay?a=1"}
    assert {e["visitor_id"] for e in client.events} == {"v"}
    assert {e["props"]["request_path"] for e in client.events} == {"/pay"}


@pytest.mark.parametrize("run", [run_asgi, run_wsgi])
def test_middleware_reports_an_exception_and_lets_it_pass(run: Any) -> None:
    client = RecordingClient()
    with pytest.raises(KeyError):
        run(200, client, KeyError("cart"))
    [event] = client.events
    assert (event["type"], event["props"]["status"], event["props"]["error_type"]) == ("http_error", 500, "KeyError")


def test_a_request_that_is_called_off_is_no_server_error() -> None:
    async def app(*_: Any) -> None:
        raise asyncio.CancelledError

    client = RecordingClient()
    scope = {**{"type": "http", "method": "GET", "path": "/pay"}, "headers": []}

    async def nothing(*_: Any) -> Any:
        return {}

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(asgi_middleware.SnagMiddleware(app, client)(scope, nothing, nothing))
    assert client.events == []


def test_a_who_that_raises_costs_the_ids_and_not_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})

    async def nothing(*_: Any) -> Any:
        return {}

    def who(_: Any) -> Any:
        raise KeyError("session")

    client = RecordingClient()
    scope = {**{"type": "http", "method": "GET", "path": "/pay"}, "headers": []}
    asyncio.run(asgi_middleware.SnagMiddleware(app, client, who=who)(scope, nothing, nothing))
    assert [event["props"]["status"] for event in client.events] == [404]
    assert "visitor_id" not in client.events[0]
    assert "KeyError" in caplog.text


def test_a_record_that_cannot_be_formatted_never_breaks_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client, log = RecordingClient(), logging.getLogger("shop.bad")
    handler = SnagHandler(client)
    monkeypatch.setattr(log, "propagate", False)
    log.addHandler(handler)
    try:
        log.error("%d items", "many")
    finally:
        log.removeHandler(handler)
    assert client.events == []
    assert "Logging error" in capsys.readouterr().err


def test_the_log_handler_reports_errors_with_their_exception_and_never_its_own() -> None:
    client = RecordingClient()
    log, own = logging.getLogger("shop.test"), logging.getLogger("snag_sdk")
    handler = SnagHandler(client)
    log.addHandler(handler)
    own.addHandler(handler)
    try:
        log.warning("fine")
        log.error("no stock of %s", "sku1", extra={"visitor_id": "v"})
        log.error("failed", exc_info=fail_with(ValueError("bad")))
        own.error("collector away")
    finally:
        log.removeHandler(handler)
        own.removeHandler(handler)
    first, second = client.events
    assert (first["type"], first["message"], first["visitor_id"]) == ("server_error", "no stock of sku1", "v")
    assert second["props"]["error_type"] == "ValueError"
