"""PostHog's events, as its clients were seen to send them."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from ingest.adapters.posthog import POSTHOG, POSTHOG_V1
from ingest.adapters.posthog_elements import clicked
from ingest.decode import Submission
from ingest.refusal import Refusal, RequestError
from schemas.event import ID_MAX_CHARS, from_ms
from tests.support.wire import fields, request, verdicts

AT = "2026-11-22T16:10:11.290+00:00"
MOMENT = datetime(2026, 11, 22, 16, 10, 11, 290_000, tzinfo=UTC)
SENT_AT = "2026-11-22T16:10:11.922845+00:00"
PYTHON = {"$lib": "posthog-python", "$lib_version": "7.91.1"}
EVENT: dict[str, Any] = {
    "event": "checkout started",
    "uuid": "u-1",
    "distinct_id": "u1",
    "timestamp": AT,
    "properties": {"value": 30, **PYTHON},
}
BATCH = {"api_key": "phc_test", "historical_migration": False, "sent_at": SENT_AT, "batch": [EVENT]}


def one(event: dict[str, Any]) -> dict[str, Any]:
    (item,) = POSTHOG.read(request("/e/", event)).items
    return fields(item)


def browser(event: str, **props: Any) -> dict[str, Any]:
    """An event as posthog-js makes it."""
    common = {
        "token": "phc_test",
        "distinct_id": "d1",
        "$device_id": "dev1",
        "$session_id": "s1",
        "$current_url": "https://x.example/cart?a=b",
        "$pathname": "/cart",
        "$referrer": "$direct",
        "title": "Cart",
        "$device_type": "Mobile",
        "$browser": "Chrome",
        "$os": "Android",
        "$raw_user_agent": "Mozilla/5.0",
        "$lib": "web",
        "$lib_version": "1.449.2",
        "$set_once": {"$initial_referrer": "$direct"},
    }
    return {"event": event, "uuid": "u-1", "timestamp": AT, "properties": common | props}


COMMON = {
    "event_id": "u-1",
    "timestamp": MOMENT,
    "visitor_id": "dev1",
    "session_id": "s1",
    "url": "https://x.example/cart?a=b",
    "path": "/cart",
    "title": "Cart",
    "device": "mobile",
    "browser": "Chrome",
    "os": "Android",
    "user_agent": "Mozilla/5.0",
}


def test_a_batch_of_the_python_sdk() -> None:
    submission = POSTHOG.read(request("/batch/", BATCH))
    assert fields(submission.items[0]) == {
        "type": "checkout_started",
        "event_id": "u-1",
        "timestamp": MOMENT,
        "visitor_id": "u1",
        "user_id": "u1",
        "props": {"value": 30, "event": "checkout started", "library": "posthog-python/7.91.1"},
    }
    assert submission.write_key == b"phc_test"
    assert submission.sent_at == datetime(2026, 11, 22, 16, 10, 11, 922_000, tzinfo=UTC)
    assert submission.server_side
    assert json.loads(submission.originals()[0]) == EVENT


def test_a_page_view_of_the_browser_library() -> None:
    body = gzip.compress(json.dumps({"api_key": "phc_test", "batch": [browser("$pageview")], "sent_at": AT}).encode())
    headers = {"Content-Type": "text/plain", "Origin": "https://x.example"}
    asked = request("/e/", gzip.decompress(body), headers=headers)  # the route inflates what gzip marks
    submission = POSTHOG.read(asked)
    assert fields(submission.items[0]) == COMMON | {"type": "page_view", "props": {"library": "web/1.449.2"}}
    assert not submission.server_side


def test_after_login_the_device_stays_the_visitor_and_the_distinct_id_is_the_user() -> None:
    found = one(browser("$identify", **{"distinct_id": "user7", "$is_identified": True, "$set": {"plan": "pro"}}))
    assert (found["type"], found["visitor_id"], found["user_id"]) == ("identify", "dev1", "user7")
    assert found["props"]["plan"] == "pro"


@pytest.mark.parametrize(
    ("event", "type_"),
    [
        (browser("$pageleave"), "page_leave"),
        (browser("$rageclick"), "rage_click"),
        (browser("$dead_click"), "dead_click"),
        (browser("$autocapture", **{"$event_type": "click"}), "click"),
        (browser("$autocapture", **{"$event_type": "submit"}), "form_submit"),
        (browser("$autocapture", **{"$event_type": "change"}), "form_field"),
        (browser("$autocapture", **{"$event_type": "copy"}), "$autocapture"),
        (browser("$screen"), "page_view"),
        (browser("$feature_flag_called"), "$feature_flag_called"),
        (browser("Order Completed"), "order_completed"),
        (browser("my own"), "my own"),
    ],
)
def test_an_events_name_becomes_our_type(event: dict[str, Any], type_: str) -> None:
    assert one(event)["type"] == type_


@pytest.mark.parametrize(
    ("props", "element", "found"),
    [
        (
            {"$elements": [{"tag_name": "button", "classes": ["btn", "big"], "attr__id": "pay", "$el_text": "Pay"}]},
            "button#pay",
            {"tag": "button", "text": "Pay"},
        ),
        (
            {"$elements_chain": 'a.buy.now:attr__href="/x?a=\\"b\\""href="/x"text="Buy; now";div:nth-child="1"'},
            "a.buy",
            {"tag": "a", "text": "Buy; now", "href": "/x"},
        ),
        ({"$elements_chain": "span"}, "span", {"tag": "span"}),
        ({"$elements_chain": ""}, None, {}),
        ({"$elements_chain": ':"'}, None, {}),
        ({"$elements": "nonsense"}, None, {}),
        ({"$elements": [7]}, None, {}),
        ({}, None, {}),
    ],
)
def test_the_element_that_was_clicked(props: dict[str, Any], element: str | None, found: dict[str, Any]) -> None:
    assert clicked(props) == (element, found)


def test_an_exception_is_an_error_with_its_frames_innermost_first() -> None:
    frames = [
        {"filename": "outer.js", "function": "main", "lineno": 1, "colno": 2, "in_app": True, "platform": "web"},
        {"filename": "inner.js", "function": "pay", "lineno": 3, "colno": 4, "in_app": True},
    ]
    thrown = {
        "type": "TypeError",
        "value": "x is undefined",
        "mechanism": {"handled": False, "type": "onerror"},
        "stacktrace": {"type": "raw", "frames": frames},
    }
    found = one(browser("$exception", **{"$exception_list": [thrown, {"type": "Cause"}], "$exception_level": "error"}))
    assert (found["type"], found["message"]) == ("js_error", "x is undefined")
    props = found["props"]
    assert (props["error_type"], props["handled"], props["mechanism"]) == ("TypeError", False, "onerror")
    assert [frame["file"] for frame in props["frames"]] == ["inner.js", "outer.js"]
    server = EVENT | {"event": "$exception", "properties": PYTHON | {"$exception_list": [thrown]}}
    assert one(server)["type"] == "exception"


def test_web_vitals_become_an_event_for_each_metric() -> None:
    metric = {"name": "INP", "id": "v5-1", "rating": "poor", "entries": [{}]}
    event = browser("$web_vitals", **{"$web_vitals_LCP_value": 1200.5, "$web_vitals_INP_value": 700})
    event["properties"]["$web_vitals_INP_event"] = metric
    submission = POSTHOG.read(request("/e/", [event]))
    first, second = map(fields, submission.items)
    assert (first["type"], first["event_id"], first["props"]["name"], first["props"]["value"]) == (
        *("web_vital", "u-1", "LCP", 1200.5),
    )
    assert (second["event_id"], second["props"]) == (
        "u-1:INP",
        {"library": "web/1.449.2", "name": "INP", "value": 700, "id": "v5-1", "rating": "poor"},
    )
    assert len(submission.originals()) == 2


def test_session_replays_are_skipped_and_counted() -> None:
    submission = POSTHOG.read(request("/e/", [browser("$snapshot"), browser("$pageview"), browser("$$heatmap")]))
    assert [fields(item)["type"] for item in submission.items] == ["page_view"]
    assert submission.skipped == {"$snapshot": 1, "$$heatmap": 1}


def test_a_request_of_nothing_but_replays_is_known_by_its_key() -> None:
    assert (
        POSTHOG.read(request("/e/", [{"event": "$snapshot", "properties": {"token": "phc_test"}}])).write_key
        == b"phc_test"
    )


@pytest.mark.parametrize(
    ("body", "query", "method"),
    [
        (json.dumps(EVENT | {"api_key": "k"}).encode(), "", "POST"),
        (json.dumps([EVENT | {"token": "k"}]).encode(), "", "POST"),
        (json.dumps([EVENT | {"properties": {"token": "k"}}]).encode(), "compression=gzip-js", "POST"),
        (b"data=" + quote(base64.b64encode(json.dumps(EVENT | {"token": "k"}).encode())).encode(), "beacon=1", "POST"),
        (
            b"data=" + quote(base64.b64encode(gzip.compress(json.dumps(EVENT | {"token": "k"}).encode()))).encode(),
            *("compression=base64", "POST"),
        ),
        (b"", "ip=0&data=" + quote(base64.b64encode(json.dumps(EVENT | {"token": "k"}).encode())), "GET"),
    ],
)
def test_a_request_in_any_dress(body: bytes, query: str, method: str) -> None:
    submission = POSTHOG.read(request("/e/", body, query=f"{query}&_=1795363811922", method=method))
    assert fields(submission.items[0])["event_id"] == "u-1"
    assert submission.write_key == b"k"
    assert submission.sent_at == from_ms(1_795_363_811_922)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"uuid": "u"}, "missing_type"),
        ({"event": "", "uuid": "u"}, "missing_type"),
        ({"event": ["list"], "uuid": "u"}, "missing_type"),
        ({"event": "x", "uuid": "u" * 201}, "too_long"),
        (7, "not_an_object"),
    ],
)
def test_a_bad_event_harms_no_neighbour(event: object, code: str) -> None:
    submission = POSTHOG.read(request("/batch", {"api_key": "k", "batch": [EVENT, event, EVENT]}))
    first, refused, last = submission.items
    assert fields(first) == fields(last)
    assert isinstance(refused, Refusal)
    assert refused.code == code


def test_an_event_without_a_name_is_told_in_posthogs_words() -> None:
    (refused,) = POSTHOG.read(request("/e", {"uuid": "u"})).items
    assert isinstance(refused, Refusal)
    assert (refused.field, refused.event_id, "`event`" in refused.message) == ("event", "u", True)


def test_a_distinct_id_of_any_type_and_length() -> None:
    assert one({"event": "x", "distinct_id": 7})["visitor_id"] == "7"
    assert one({"event": "x", "distinct_id": "d" * 300})["visitor_id"] == "d" * 200
    assert "visitor_id" not in one({"event": "x", "distinct_id": {"a": 1}})


def test_the_key_behind_an_unreadable_event_is_found() -> None:
    body = json.dumps({"batch": [EVENT, EVENT], "api_key": "phc_test"}).replace("30", "NaN", 1).encode()
    submission = POSTHOG.read(request("/batch", body))
    assert isinstance(submission.items[0], Refusal)
    assert fields(submission.items[1])["event_id"] == "u-1"
    assert submission.write_key == b"phc_test"


V1_HEADERS = {
    "Authorization": "Bearer phc_test",
    "PostHog-Sdk-Info": "posthog-python/7.91.1",
    "PostHog-Request-Timestamp": SENT_AT,
}


def read_v1(*events: Any) -> Submission:
    return POSTHOG_V1.read(request("/i/v1/analytics/events", {"created_at": AT, "batch": events}, headers=V1_HEADERS))


def test_a_v1_request() -> None:
    event = {**EVENT, "session_id": "s1", "options": {}, "properties": {"value": 30}}
    submission = read_v1(event)
    assert fields(submission.items[0]) == {
        "type": "checkout_started",
        "event_id": "u-1",
        "timestamp": MOMENT,
        "visitor_id": "u1",
        "user_id": "u1",
        "session_id": "s1",
        "props": {"value": 30, "event": "checkout started", "library": "posthog-python/7.91.1"},
    }
    assert submission.sent_at == datetime(2026, 11, 22, 16, 10, 11, 922_000, tzinfo=UTC)
    assert POSTHOG_V1.key(request("/i/v1/analytics/events", headers=V1_HEADERS)) == b"phc_test"
    assert "user_id" not in fields(read_v1(event | {"options": {"process_person_profile": False}}).items[0])


def test_a_library_stands_in_each_event_and_is_cut() -> None:
    sent = request("/i/v1/analytics/events", {"batch": [{"event": "a"}]}, headers={"PostHog-Sdk-Info": "x" * 60_000})
    assert len(fields(POSTHOG_V1.read(sent).items[0])["props"]["library"]) == ID_MAX_CHARS


def test_web_vitals_that_make_their_properties_many_times_their_size_are_refused() -> None:
    """A body of 5 MB became 25 MB of events."""

    def read(events: int) -> int:
        vitals = {f"$web_vitals_{name}_value": 1 for name in ("LCP", "INP", "CLS", "FCP", "TTFB")}
        event = {"event": "$web_vitals", "properties": {"distinct_id": "v", **vitals, "own": "x" * 10_000}}
        return len(POSTHOG.read(request("/batch", {"api_key": "k", "batch": [event] * events})).items)

    assert read(2) == 10
    with pytest.raises(RequestError) as caught:
        read(10)
    assert caught.value.code == "body_too_large"


def test_a_v1_answer_has_a_result_for_each_event() -> None:
    bad = {"uuid": "u-2", "distinct_id": "u1"}
    submission = read_v1(EVENT, bad)
    answer = POSTHOG_V1.answer(request("/i/v1/analytics/events"), submission, verdicts(1, (1, "u-2")))
    results = json.loads(answer.body)["results"]
    assert (answer.status, results["u-1"]) == (200, {"result": "ok"})
    assert results["u-2"]["result"] == "drop"
    assert "invalid_type" in results["u-2"]["details"]


def test_a_v0_answer_is_exactly_200() -> None:
    asked = request("/batch", BATCH)
    submission = POSTHOG.read(asked)
    answer = POSTHOG.answer(asked, submission, verdicts(1))
    assert (answer.status, answer.body) == (200, b'{"status":"Ok"}')
    refused = json.loads(POSTHOG.answer(asked, submission, verdicts(0, (0, "u-1"))).body)
    assert (refused["status"], len(refused["rejected"])) == ("Ok", 1)


@pytest.mark.parametrize(("body", "code"), [({"created_at": AT}, "invalid_batch"), (b"[]", "invalid_json")])
def test_a_v1_body_without_a_batch_is_refused(body: object, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        POSTHOG_V1.read(request("/i/v1/analytics/events", body, headers=V1_HEADERS))
    assert caught.value.code == code
