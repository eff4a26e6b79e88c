"""Sentry's envelopes, as its SDKs were seen to send them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.adapters.sentry import SENTRY, SENTRY_STORE
from ingest.refusal import Refusal, RequestError
from tests.support.wire import fields, request, verdicts

PATH = "/api/42/envelope"
AT = "2026-11-22T16:10:13.834944Z"
MOMENT = datetime(2026, 11, 22, 16, 10, 13, 834_944, tzinfo=UTC)
ID = "80ed0ded341f41ab980f044ce360af71"
HEADER = {"event_id": ID, "sent_at": "2026-11-22T16:10:13.864294Z", "trace": {"public_key": "pubkey"}}
PYTHON = {
    "event_id": ID,
    "timestamp": AT,
    "level": "error",
    "platform": "python",
    "exception": {
        "values": [
            {"type": "KeyError", "value": "cause"},
            {
                "type": "ZeroDivisionError",
                "value": "division by zero",
                "mechanism": {"type": "generic", "handled": True},
                "stacktrace": {
                    "frames": [
                        {"filename": "flask/app.py", "function": "run", "lineno": 3, "in_app": False},
                        {
                            "filename": "shop/cart.py",
                            "function": "total",
                            "lineno": 30,
                            "in_app": True,
                            "vars": {"a": "1"},
                        },
                    ]
                },
            },
        ]
    },
    "user": {"id": "u1"},
    "tags": {"session_id": "s1", "visitor_id": "v1", "plan": "pro"},
    "release": "shop@1.0.0",
    "environment": "production",
    "breadcrumbs": {"values": [{"message": "secret"}]},
    "contexts": {"os": {"name": "Debian"}, "trace": {"trace_id": "t1"}},
}
BROWSER = {
    "event_id": ID,
    "timestamp": 1795590477.321,
    "level": "error",
    "platform": "javascript",
    "exception": {
        "values": [
            {
                "type": "TypeError",
                "value": "Cannot read properties of null (reading 'x')",
                "stacktrace": {
                    "frames": [{"filename": "http://x/page.js", "function": "r", "in_app": True, "colno": 2}]
                },
                "mechanism": {"type": "auto.browser.browserapierrors.setTimeout", "handled": False},
            }
        ]
    },
    "request": {"url": "http://x/cart", "headers": {"User-Agent": "Mozilla/5.0", "Referer": "http://x/"}},
    "contexts": {"browser": {"name": "Chrome"}, "os": {"name": "Linux"}},
}
SESSION = {
    "sid": "7c880c444066440ba93a523a3c2aff64",
    "init": True,
    "started": "2026-11-25T07:07:57.235Z",
    "timestamp": "2026-11-25T07:07:57.322Z",
    "status": "crashed",
    "errors": 1,
    "did": "u9",
    "attrs": {"release": "shop@1", "environment": "prod", "user_agent": "Mozilla/5.0"},
}


def envelope(*items: tuple[dict[str, Any], bytes], header: dict[str, Any] | None = None) -> bytes:
    lines = [json.dumps(HEADER if header is None else header).encode()]
    for item, payload in items:
        lines += [json.dumps(item).encode(), payload]
    return b"\n".join(lines)


def item(type_: str, data: Any, *, length: bool) -> tuple[dict[str, Any], bytes]:
    payload = data if isinstance(data, bytes) else json.dumps(data).encode()
    return {"type": type_} | ({"length": len(payload)} if length else {}), payload


def read_one(data: dict[str, Any], type_: str = "event") -> dict[str, Any]:
    (found,) = SENTRY.read(request(PATH, envelope(item(type_, data, length=True)))).items
    return fields(found)


def test_a_servers_exception() -> None:
    submission = SENTRY.read(request(PATH, envelope(item("event", PYTHON, length=True)) + b"\n"))
    (found,) = submission.items
    assert fields(found) == {
        "type": "exception",
        "kind": "error",
        "event_id": ID,
        "ts": MOMENT.replace(microsecond=834_000),
        "user_id": "u1",
        "session_id": "s1",
        "visitor_id": "v1",
        "release": "shop@1.0.0",
        "message": "division by zero",
        "props": {
            "error_type": "ZeroDivisionError",
            "level": "error",
            "handled": True,
            "mechanism": "generic",
            "frames": [
                {"file": "shop/cart.py", "function": "total", "line": 30, "in_app": True},
                {"file": "flask/app.py", "function": "run", "line": 3, "in_app": False},
            ],
            "environment": "production",
            "platform": "python",
            "trace_id": "t1",
            "tags": {"plan": "pro"},
        },
    }
    assert submission.sent_at == datetime(2026, 11, 22, 16, 10, 13, 864_000, tzinfo=UTC)
    assert submission.server_side
    assert b"ZeroDivisionError" in submission.originals()[0]


def test_a_pages_error() -> None:
    found = read_one(BROWSER)
    assert (
        found.items()
        >= {
            "type": "js_error",
            "url": "http://x/cart",
            "referrer": "http://x/",
            "user_agent": "Mozilla/5.0",
            "browser": "Chrome",
            "os": "Linux",
        }.items()
    )
    assert found["props"]["handled"] is False
    assert found["props"]["frames"] == [{"file": "http://x/page.js", "function": "r", "column": 2, "in_app": True}]


@pytest.mark.parametrize(
    ("event", "type_", "kind", "message"),
    [
        ({"message": "hi", "level": "info"}, "log", "clickstream", "hi"),
        ({"logentry": {"message": "hi %s", "formatted": "hi you"}, "level": "warning"}, "log", "clickstream", "hi you"),
        ({"message": "hi", "level": "error"}, "exception", "error", "hi"),
        ({"message": "hi"}, "exception", "error", "hi"),
        (
            {"level": "info", "exception": {"values": [{"value": "hi", "mechanism": {"synthetic": True}}]}},
            "log",
            "clickstream",
            "hi",
        ),
        ({"level": "info", "exception": {"values": [{"type": "E", "value": "hi"}]}}, "exception", "error", "hi"),
        (
            {"platform": "cocoa", "exception": [{"type": "SIGABRT", "value": "hi", "mechanism": {"handled": False}}]},
            "crash",
            "error",
            "hi",
        ),
    ],
)
def test_what_is_an_error_and_what_is_not(event: dict[str, Any], type_: str, kind: str, message: str) -> None:
    found = read_one(event)
    assert (found["type"], found["kind"], found["message"]) == (type_, kind, message)


def test_a_failed_request() -> None:
    event = BROWSER | {
        "exception": {"values": [{"type": "Error", "value": "500", "mechanism": {"type": "auto.http.client.fetch"}}]},
        "contexts": {"response": {"status_code": 500}},
        "request": {"url": "http://x/api/pay?a=1"},
    }
    found = read_one(event)
    assert found["type"] == "http_error"
    assert found["props"].items() >= {"status": 500, "request_path": "/api/pay"}.items()


def test_a_session_becomes_its_health_and_no_visit() -> None:
    found = read_one(SESSION, "session")
    assert found["type"] == "session_health"
    assert found["release"] == "shop@1"
    assert "session_id" not in found
    assert "visitor_id" not in found
    assert (
        found["props"].items() >= {"status": "crashed", "errors": 1, "sid": SESSION["sid"], "device_id": "u9"}.items()
    )
    assert read_one(SESSION, "session")["event_id"] == found["event_id"]
    assert read_one(SESSION | {"status": "exited"}, "session")["event_id"] != found["event_id"]


def test_aggregated_sessions() -> None:
    buckets = [{"started": "2026-11-25T07:00:00Z", "exited": 4, "crashed": 1}, {"started": "2026-11-25T07:01:00Z"}]
    data = {"aggregates": buckets, "attrs": {"release": "shop@1"}}
    items = SENTRY.read(request(PATH, envelope(item("sessions", data, length=False)))).items
    first, second = map(fields, items)
    assert first["props"].items() >= {"exited": 4, "crashed": 1}.items()
    assert second["ts"] == datetime(2026, 11, 25, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize("length", [True, False])
def test_items_with_and_without_length_and_unknown_ones(*, length: bool) -> None:
    made_up = [(f"evil{number}", b"x") for number in range(3)]
    body = envelope(
        item("transaction", {"a": "b"}, length=length),
        item("event", PYTHON, length=length),
        *(item(type_, payload, length=length) for type_, payload in made_up),
        item("attachment", b"a\nb" if length else b"ab", length=length),
        item("session", SESSION, length=length),
    )
    submission = SENTRY.read(request(PATH, body))
    assert [fields(found)["type"] for found in submission.items] == ["exception", "session_health"]
    assert submission.skipped == {"transaction": 1, "unknown": 3, "attachment": 1}
    assert len(submission.originals()) == 2


def test_a_broken_item_harms_no_other() -> None:
    body = envelope(
        item("event", b"{", length=True), item("event", [], length=True), item("event", PYTHON, length=True)
    )
    first, second, third = SENTRY.read(request(PATH, body)).items
    assert isinstance(first, Refusal)
    assert first.code == "invalid_json"
    assert isinstance(second, Refusal)
    assert second.code == "not_an_object"
    assert fields(third)["event_id"] == ID


@pytest.mark.parametrize("body", [b"", b"\n", b"x", b"[]\n", b"{}\nx\ny", b'{}\n{"type":"event","length":9}\n{}'])
def test_an_envelope_that_cannot_be_taken_apart_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        SENTRY.read(request(PATH, body))
    assert caught.value.code == "invalid_envelope"
    assert caught.value.unreadable == body


def test_of_an_envelope_that_is_cut_short_the_whole_items_are_taken() -> None:
    whole = envelope(item("event", PYTHON, length=True), item("session", SESSION, length=False))
    last = envelope(item("event", PYTHON, length=True), header={}).partition(b"\n")[2]
    header_bytes = last.index(b"\n") + 1
    for cut in range(1, len(last.rstrip())):
        submission = SENTRY.read(request(PATH, whole.rstrip() + b"\n" + last[:cut]))
        first, second, *rest = submission.items
        assert fields(first)["event_id"] == ID
        assert fields(second)["type"] == "session_health"
        assert len(rest) == (cut >= header_bytes - 1), cut
        assert all(isinstance(found, Refusal) and found.code == "invalid_json" for found in rest)


def test_an_envelope_of_nothing_is_taken() -> None:
    assert list(SENTRY.read(request(PATH, b"{}")).items) == []


def test_too_many_items_are_refused() -> None:
    body = envelope(*[item("session", SESSION, length=False)] * 4)
    with pytest.raises(RequestError) as caught:
        SENTRY.read(request(PATH, body, max_events=3))
    assert caught.value.code == "too_many_events"


def test_too_many_items_of_a_kind_that_is_skipped_are_refused_as_well() -> None:
    """A body of 5 MB holds more than a million of them, whose heads alone take seconds to read."""
    with pytest.raises(RequestError) as caught:
        SENTRY.read(request(PATH, b"{}\n" + b"{}\n\n" * 4, max_events=3))
    assert caught.value.code == "too_many_events"


def test_what_aggregates_share_is_no_longer_than_a_label() -> None:
    aggregates = {"attrs": {"environment": "x" * 10_000}, "aggregates": [{"exited": 1}] * 2}
    items = SENTRY.read(request(PATH, envelope(item("sessions", aggregates, length=True)))).items
    assert [len(fields(found)["props"]["environment"]) for found in items] == [200, 200]


def test_the_key_is_in_a_header_the_query_or_the_dsn() -> None:
    auth = {"X-Sentry-Auth": "Sentry sentry_key=pub, sentry_version=7, sentry_client=sentry.python/2.75.0"}
    assert SENTRY.key(request(PATH, headers=auth)) == b"pub"
    assert SENTRY.key(request(PATH, query="sentry_version=7&sentry_key=pub")) == b"pub"
    assert SENTRY.key(request(PATH, headers={"X-Write-Key": "pub"})) == b"pub"
    assert SENTRY.key(request(PATH)) == b""
    for dsn, key in (("http://pub@127.0.0.1:8080/42", b"pub"), ("http://[/", b""), (1, b"")):
        assert SENTRY.read(request(PATH, envelope(header={"dsn": dsn}))).write_key == key


def test_the_answer_names_the_event() -> None:
    post = request(PATH, envelope(item("event", PYTHON, length=True)))
    assert json.loads(SENTRY.answer(post, SENTRY.read(post), verdicts(1)).body) == {"id": ID}
    post = request(PATH, b"{}")
    assert json.loads(SENTRY.answer(post, SENTRY.read(post), verdicts(0)).body) == {}


def test_a_single_event_of_an_older_sdk() -> None:
    auth = {"X-Sentry-Auth": "Sentry sentry_key=pub, sentry_timestamp=1795590477.321"}
    submission = SENTRY_STORE.read(request("/api/42/store", PYTHON, headers=auth))
    assert fields(submission.items[0])["event_id"] == ID
    with pytest.raises(RequestError):
        SENTRY_STORE.read(request("/api/42/store", b"{"))


def test_sentry_clients_send_once() -> None:
    assert SENTRY.prefers_spool
    assert SENTRY_STORE.prefers_spool
