"""Bodies, good and bad: what each event of them becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.decode import Submission, decode_native
from ingest.draft import Draft
from ingest.refusal import Refusal, RequestError
from schemas.event import from_ms

GOOD = b'{"type":"page_view","visitor_id":"v1"}'
BOMB = b"[" * 100_000 + b"]" * 100_000


def decode(body: bytes, *, ndjson: bool = False, max_events: int = 100) -> Submission:
    return decode_native(body, ndjson=ndjson, max_events=max_events)


def verdicts(body: bytes, *, ndjson: bool = False) -> list[str]:
    items = decode(body, ndjson=ndjson).items
    return [item.code if isinstance(item, Refusal) else "ok" for item in items]


def refused(body: bytes, **kwargs: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode(body, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (GOOD, 1),
        (b" \n" + GOOD + b"\n", 1),
        (b"\xef\xbb\xbf" + GOOD, 1),
        (b"[]", 0),
        (b"[" + GOOD + b"," + GOOD + b"]", 2),
        (b'{"batch":[' + GOOD + b"]}", 1),
        (b'{"batch":[]}', 0),
        (b'{"context":{"a":[1]},"writeKey":"k","batch":[' + GOOD + b"," + GOOD + b"]}", 2),
        (GOOD + b"\n" + GOOD, 2),
        (GOOD + b"\r\n\r\n" + GOOD + b"\r\n", 2),
    ],
)
def test_every_shape_of_body_gives_its_events(body: bytes, count: int) -> None:
    submission = decode(body)
    assert [type(item) for item in submission.items] == [Draft] * count
    assert len(submission.originals()) == count


def test_content_type_ndjson_makes_one_line_a_body_of_lines() -> None:
    assert verdicts(GOOD, ndjson=True) == ["ok"]
    assert verdicts(b"[1]", ndjson=True) == ["not_an_object"]


@pytest.mark.parametrize("name", ["sent_at", "sentAt"])
@pytest.mark.parametrize("value", ['"2025-11-24T16:00:00Z"', "1764000000", "1764000000000"])
def test_the_clients_clock_comes_from_the_envelope(name: str, value: str) -> None:
    body = b'{"' + name.encode() + b'":' + value.encode() + b',"batch":[' + GOOD + b"]}"
    assert decode(body).sent_at == from_ms(1_764_000_000_000)


def test_an_unreadable_clock_is_as_good_as_none() -> None:
    submission = decode(b'{"sent_at":"yesterday","batch":[' + GOOD + b"]}")
    assert submission.sent_at is None
    assert len(submission.items) == 1


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"5", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"[]", "not_an_object"),
        (b"{}", "missing_type"),
        (b'{"type":null}', "missing_type"),
        (b'{"type":""}', "missing_type"),
        (b'{"type":7}', "invalid_type"),
        (b'{"type":"a","kind":"nonsense"}', "unknown_kind"),
        (b'{"type":"a","kind":7}', "invalid_type"),
        (b'{"type":"a","event_id":true}', "invalid_type"),
        (b'{"type":"a","visitor_id":{}}', "invalid_type"),
        (b'{"type":"a","session_id":[1]}', "invalid_type"),
        (b'{"type":"a","url":5}', "invalid_type"),
        (b'{"type":"a","props":[1]}', "invalid_type"),
        (b'{"type":"a","x":"left"}', "invalid_type"),
        (b'{"type":"a","is_bot":"yes"}', "invalid_type"),
        (b'{"type":"a","ts":"yesterday"}', "invalid_timestamp"),
        (b'{"type":"a","timestamp":""}', "invalid_timestamp"),
        (b'{"type":"a","ts":true}', "invalid_timestamp"),
        (b'{"type":"a","user_id":"' + b"u" * 201 + b'"}', "too_long"),
        (b'{"type":"' + b"t" * 201 + b'"}', "too_long"),
        (b'{"type":"a","event_id":' + b"9" * 201 + b"}", "too_long"),
        (b'{"type":"a","v":NaN}', "invalid_json"),
        (b'{"type":"a","v":-Infinity}', "invalid_json"),
        (b'{"type":"a","v":1e999}', "invalid_json"),
        (b'{"type":"a","v":"\xff"}', "invalid_json"),
        (b'{"type":"a","v":"\\ud800"}', "invalid_json"),
        (b'{"type":"a","v":tru}', "invalid_json"),
        (b'{"type":"a","v":' + BOMB + b"}", "too_deep"),
        (b'{"type":"a","v":' + b'{"b":[' * 5000 + b"]}" * 5000 + b"}", "too_deep"),
    ],
)
def test_one_bad_event_harms_none_of_its_neighbours(bad: bytes, code: str) -> None:
    bodies = [
        b"[" + GOOD + b"," + bad + b" , " + GOOD + b"]",
        b'{"batch":[' + GOOD + b"," + bad + b"," + GOOD + b'],"sent_at":1764000000}',
        GOOD + b"\n" + bad + b"\n" + GOOD,
    ]
    for body in bodies[: 2 if bad[:1] != b"{" else 3]:
        assert verdicts(body) == ["ok", code, "ok"]
        assert decode(body).originals()[1] == bad


@pytest.mark.parametrize(
    "body",
    [
        GOOD[:-1],
        GOOD[:-5],
        b"[" + GOOD + b",",
        b"[" + GOOD + b',{"type":"cl',
        b'{"batch":[' + GOOD + b"]",
        b'{"batch":[' + GOOD,
        b"nonsense",
        b"\xff\xfe",
        b'{"type":NaN}',
        b"[" + GOOD + b"] trailing",
        b'{\n "type": "a"\n "url": "b"\n}',
    ],
)
def test_a_body_that_cannot_be_read_is_refused_whole_and_kept(body: bytes) -> None:
    error = refused(body)
    assert (error.status, error.code, error.unreadable) == (400, "invalid_json", body)
    assert error.detail


@pytest.mark.parametrize("body", [b"", b"  \n ", b"\xef\xbb\xbf"])
def test_an_empty_body_is_refused(body: bytes) -> None:
    assert refused(body).code == "empty_body"


def test_a_batch_that_is_no_array_is_refused() -> None:
    assert refused(b'{"batch":{"type":"a"}}').code == "invalid_batch"


def test_an_event_may_have_a_field_called_batch() -> None:
    (event,) = decode(b'{"type":"a","batch":7}').items
    assert isinstance(event, Draft)
    assert event.props == {"batch": 7}


@pytest.mark.parametrize("brackets", [b"[", b"{", b'{"batch":[', b'[{"a":', b'{"type":"a","props":'])
def test_ten_megabytes_of_brackets_are_refused(brackets: bytes) -> None:
    body = brackets * (10_000_000 // len(brackets))
    try:
        items = decode(body).items
    except RequestError as error:
        assert error.status == 400
    else:
        assert [item.code for item in items if isinstance(item, Refusal)] == ["too_deep"] * len(items)


def test_a_string_of_quotes_that_never_ends_is_scanned_once() -> None:
    body = b"[" * 2000 + b'"' + b'\\"' * 2_000_000
    assert refused(body).code == "too_deep"


@pytest.mark.parametrize(
    "body", [b"[" + b",".join([GOOD] * 6) + b"]", b'{"batch":[5,5,5,5,5,5]}', b"\n".join([GOOD] * 6), b"[1,2,3,4,5,6]"]
)
def test_too_many_events_are_refused(body: bytes) -> None:
    error = refused(body, max_events=5)
    assert (error.status, error.code) == (413, "too_many_events")


def test_a_repeated_key_counts_once_and_the_last_one_wins() -> None:
    (event,) = decode(b'{"type":"a","type":"b","foo":1,"foo":2}').items
    assert isinstance(event, Draft)
    assert (event.type, event.props) == ("b", {"foo": 2})


def test_other_spellings_and_types_are_understood() -> None:
    sent = {
        "type": "page_view",
        "eventId": 12345678901234567890,
        "messageId": "loses",
        "sessionId": 7.0,
        "anonymousId": "anon",
        "userId": 1.5,
        "isBot": True,
        "properties": {"a": 1, "deep": {"b": [1, None, "x"]}},
        "a": "loses to props",
        "extra": False,
        "url": None,
        "site": "of no account",
        "received_at": "of no account",
        "title": "t" * 9000,
        "browser": "b" * 300,
    }
    (event,) = decode(json.dumps(sent).encode()).items
    assert isinstance(event, Draft)
    assert (event.event_id, event.session_id, event.visitor_id) == ("12345678901234567890", "7", "anon")
    assert (event.user_id, event.is_bot, event.url) == ("1.5", True, None)
    assert event.props == {"a": 1, "deep": {"b": [1, None, "x"]}, "extra": False}
    assert event.title == "t" * 8192
    assert event.browser == "b" * 200


def test_a_fields_own_name_wins_over_its_aliases() -> None:
    (event,) = decode(b'{"type":"a","eventId":"e2","event_id":"e1","visitorId":"v1","anonymousId":"v2"}').items
    assert isinstance(event, Draft)
    assert (event.event_id, event.visitor_id) == ("e1", "v1")


def test_a_refused_event_is_named_by_its_id() -> None:
    (item,) = decode(b'{"type":5,"messageId":99}').items
    assert isinstance(item, Refusal)
    assert (item.event_id, item.field) == ("99", "type")
    assert "a number" in item.message
