"""Segment's and RudderStack's messages, as their SDKs were seen to send them."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from ingest.adapters.segment import SEGMENT
from ingest.refusal import Refusal, RequestError
from schemas.event import from_ms
from tests.support.wire import fields, request, verdicts

AT = "2026-11-22T16:10:09.290+00:00"
MOMENT = datetime(2026, 11, 22, 16, 10, 9, 290_000, tzinfo=UTC)
SENT_AT = "2026-11-22T16:10:09.793432+00:00"
COMMON: dict[str, Any] = {"timestamp": AT, "userId": "u1", "integrations": {}}
TRACK = COMMON | {
    "type": "track",
    "messageId": "m1",
    "anonymousId": None,
    "event": "Checkout Started",
    "properties": {"order_id": "o1", "value": 30.0, "currency": "EUR"},
    "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
}
PAGE = COMMON | {
    "type": "page",
    "messageId": "m2",
    "category": "cat",
    "name": "Home",
    "properties": {"url": "http://x/"},
    "context": {},
}
IDENTIFY = COMMON | {"type": "identify", "messageId": "m3", "traits": {"email": "a@b.c"}, "context": {}}
BATCH = {"batch": [TRACK, PAGE, IDENTIFY], "sentAt": SENT_AT, "writeKey": "wk_test"}


def test_a_batch_of_the_python_sdk() -> None:
    submission = SEGMENT.read(request("/v1/batch", BATCH))
    track, page, identify = map(fields, submission.items)
    who = {"visitor_id": "u1", "user_id": "u1", "timestamp": MOMENT}
    assert track == who | {
        "type": "checkout_started",
        "event_id": "m1",
        "props": {
            "order_id": "o1",
            "value": 30.0,
            "currency": "EUR",
            "event": "Checkout Started",
            "library": "analytics-python/2.4.0",
            "checkout_id": "o1",
        },
    }
    assert page == who | {
        "type": "page_view",
        "event_id": "m2",
        "url": "http://x/",
        "props": {"name": "Home", "category": "cat"},
    }
    assert identify == who | {"type": "identify", "event_id": "m3", "props": {"email": "a@b.c"}}
    assert submission.sent_at == datetime(2026, 11, 22, 16, 10, 9, 793_000, tzinfo=UTC)
    assert submission.write_key == b"wk_test"
    assert submission.server_side
    assert [json.loads(original) for original in submission.originals()] == BATCH["batch"]


def test_a_message_of_the_browser_library() -> None:
    message = {
        "anonymousId": "a1",
        "event": "Order Completed",
        "properties": {"order_id": "o1", "checkout_id": "c1", "total": "12.5"},
        "context": {
            "page": {
                "path": "/done",
                "referrer": "https://a.example/",
                "title": "Done",
                "url": "https://x.example/done",
            },
            "userAgent": "Mozilla/5.0",
            "locale": "de-DE",
            "timezone": "Europe/Berlin",
            "campaign": {"name": "autumn", "source": "mail"},
            "library": {"name": "analytics.js", "version": "next-1.84.3"},
        },
        "messageId": "ajs-next-1",
        "timestamp": AT,
        "sentAt": AT,
        "writeKey": "wk_test",
    }
    headers = {"Content-Type": "text/plain", "Origin": "https://x.example"}
    submission = SEGMENT.read(request("/v1/t", message, headers=headers))
    assert fields(submission.items[0]) == {
        "type": "order_completed",
        "event_id": "ajs-next-1",
        "timestamp": MOMENT,
        "visitor_id": "a1",
        "url": "https://x.example/done",
        "path": "/done",
        "referrer": "https://a.example/",
        "title": "Done",
        "user_agent": "Mozilla/5.0",
        "props": {
            "order_id": "o1",
            "checkout_id": "c1",
            "total": "12.5",
            "value": "12.5",
            "event": "Order Completed",
            "locale": "de-DE",
            "timezone": "Europe/Berlin",
            "utm_campaign": "autumn",
            "utm_source": "mail",
            "library": "analytics.js/next-1.84.3",
        },
    }
    assert not submission.server_side
    assert (submission.sent_at, submission.write_key) == (MOMENT, b"wk_test")


def test_rudders_node_sdk_says_original_timestamp_and_sent_at_in_each_event() -> None:
    message = {
        "type": "track",
        "event": "Coupon Denied",
        "properties": {"reason": "expired"},
        "userId": "u1",
        "messageId": "r1",
        "channel": "server",
        "originalTimestamp": "2026-11-22T16:10:09.290Z",
        "sentAt": "2026-11-22T16:10:09.793Z",
        "context": {"sessionId": 1760000000000},
    }
    submission = SEGMENT.read(request("/v1/batch", {"batch": [message], "sentAt": None}))
    found = fields(submission.items[0])
    assert (found["type"], found["timestamp"], found["message"]) == ("coupon_denied", MOMENT, "expired")
    assert found["session_id"] == "1760000000000"
    assert submission.sent_at == from_ms(1_795_363_809_793)


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("/v1/page", "page_view"),
        ("/v1/p/", "page_view"),
        ("/v1/screen", "page_view"),
        ("/v1/i", "identify"),
        ("/v1/group", "group"),
        ("/v1/a", "alias"),
        ("/v1/t", "Something Else"),
    ],
)
def test_the_path_says_which_call_it_is(path: str, type_: str) -> None:
    (item,) = SEGMENT.read(request(path, {"userId": "u1", "event": "Something Else"})).items
    assert fields(item)["type"] == type_


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "track", "messageId": "m"}, "missing_type"),
        ({"type": "explode", "messageId": "m"}, "missing_type"),
        ({"messageId": "m"}, "missing_type"),
        ({"type": "page", "messageId": "m" * 201}, "too_long"),
        ([], "not_an_object"),
    ],
)
def test_a_bad_message_harms_no_neighbour(message: object, code: str) -> None:
    submission = SEGMENT.read(request("/v1/batch", {"batch": [PAGE, message, TRACK]}))
    first, refused, last = submission.items
    assert (fields(first)["event_id"], fields(last)["event_id"]) == ("m2", "m1")
    assert isinstance(refused, Refusal)
    assert refused.code == code
    assert json.loads(submission.originals()[1]) == message


def test_what_is_no_json_harms_neither_neighbours_nor_the_key_behind_them() -> None:
    body = json.dumps(BATCH).replace("30.0", "NaN").encode()
    submission = SEGMENT.read(request("/v1/batch", body))
    refused, page, identify = submission.items
    assert isinstance(refused, Refusal)
    assert refused.code == "invalid_json"
    assert (fields(page)["event_id"], fields(identify)["event_id"]) == ("m2", "m3")
    assert submission.write_key == b"wk_test"


@pytest.mark.parametrize(
    "body",
    [
        b"data=" + quote(json.dumps(TRACK)).encode(),
        b"data=" + base64.b64encode(json.dumps(TRACK).encode()),
        b"data=" + quote(base64.b64encode(gzip.compress(json.dumps(TRACK).encode()))).encode(),
        quote(json.dumps(TRACK)).encode(),
        base64.urlsafe_b64encode(json.dumps(TRACK).encode()).rstrip(b"="),
        b"\xef\xbb\xbf " + json.dumps(TRACK).encode(),
    ],
)
def test_a_body_in_any_dress(body: bytes) -> None:
    (item,) = SEGMENT.read(request("/v1/track", body)).items
    assert fields(item)["event_id"] == "m1"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b"data=", "empty_body"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"nonsense!", "invalid_json"),
        (b'{"batch": 1}', "invalid_batch"),
        (b'{"batch": null, "type": [}', "invalid_json"),
        (b'{"batch": [1, 2, 3, 4]}', "too_many_events"),
        (b'{"batch": [1, 2, NaN, 4]}', "too_many_events"),
        (base64.b64encode(gzip.compress(b" " * 200_000)), "body_too_large"),
    ],
)
def test_a_body_that_cannot_be_read(body: bytes, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        SEGMENT.read(request("/v1/batch", body, max_events=3))
    assert caught.value.code == code


def test_a_batch_that_is_null_is_none() -> None:
    message = {"type": "track", "event": "a", "batch": None}
    assert fields(SEGMENT.read(request("/v1/track", message)).items[0])["type"] == "a"


def test_a_call_without_a_name_is_told_in_segments_words() -> None:
    (refused,) = SEGMENT.read(request("/v1/track", {"messageId": "m1"})).items
    assert isinstance(refused, Refusal)
    assert (refused.field, refused.event_id) == ("event", "m1")
    assert "`event`" in refused.message


def test_a_batch_that_makes_its_context_many_times_its_size_is_refused() -> None:
    def read(events: int) -> int:
        context = {"campaign": {"name": "x" * 10_000}}
        batch = [{"type": "track", "event": "a"}] * events
        return len(SEGMENT.read(request("/v1/batch", {"context": context, "batch": batch})).items)

    assert read(10) == 10
    with pytest.raises(RequestError) as caught:
        read(30)
    assert (caught.value.code, "30 events share" in caught.value.detail) == ("body_too_large", True)


def test_the_answer_is_exactly_200() -> None:
    asked = request("/v1/batch", BATCH)
    submission = SEGMENT.read(asked)
    answer = SEGMENT.answer(asked, submission, verdicts(3))
    assert (answer.status, answer.body, answer.content_type) == (200, b'{"success":true}', b"application/json")
    listed = json.loads(SEGMENT.answer(asked, submission, verdicts(2, (1, "m2"))).body)
    assert listed["success"] is True
    assert [rejected["event_id"] for rejected in listed["rejected"]] == ["m2"]


def test_a_refusal_has_what_rudders_sdk_reads() -> None:
    refused = SEGMENT.refuse(request("/v1/batch"), RequestError("overloaded", retry_after_s=2))
    said = json.loads(refused.body)
    assert (refused.status, said["code"]) == (503, "overloaded")
    assert {"code", "message", "detail", "error"} == set(said)
