"""Access logs: both formats read the same, what a request counts as, ids that repeat, visitors without addresses."""

from __future__ import annotations

import stat
from pathlib import Path

import orjson
import pytest

from snag.accesslog.event import kind_of
from snag.accesslog.importer import Summary, bot_detector, read_events
from snag.accesslog.request import LineError, parse_request
from snag.accesslog.visitors import visitor_id, visitor_key

CHROME = "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.107 Safari/537.36"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
KEY = b"k" * 32


def combined(
    request: str = "GET /a?b=c HTTP/1.1",
    status: int = 200,
    agent: str = CHROME,
    stamp: str = "17/May/2015:12:05:03 +0200",
    address: str = "203.0.113.9",
) -> bytes:
    return f'{address} - - [{stamp}] "{request}" {status} 512 "http://shop.example/" "{agent}"'.encode()


def imported(lines: list[bytes], key: bytes = KEY) -> tuple[list[dict[str, object]], Summary]:
    summary = Summary()
    events = [orjson.loads(e) for e in read_events(enumerate(lines, 1), summary, key=key, is_bot=bot_detector())]
    return events, summary


def test_a_combined_line_is_read_whole_and_its_time_is_made_utc() -> None:
    request = parse_request(combined())
    assert (request.method, request.target, request.status, request.size_bytes) == ("GET", "/a?b=c", 200, 512)
    assert request.ts.isoformat() == "2015-05-17T10:05:03+00:00"
    assert (request.referrer, request.user_agent, request.client) == ("http://shop.example/", CHROME, "203.0.113.9")


def test_common_format_dashes_and_escaped_quotes_are_read() -> None:
    common = parse_request(b'::1 - frank [01/Jan/2026:00:00:00 -0130] "HEAD / HTTP/1.0" 304 -')
    assert (common.size_bytes, common.referrer, common.user_agent) == (0, "", "")
    assert common.ts.isoformat() == "2026-01-01T01:30:00+00:00"
    quoted = parse_request(
        b'1.2.3.4 - - [17/May/2015:12:05:03 +0000] "GET /x HTTP/1.1" 200 1 "-" "a \\"quoted\\" agent"'
    )
    assert (quoted.referrer, quoted.user_agent) == ("", 'a "quoted" agent')


def test_bytes_that_are_no_request_line_stay_an_error_with_their_text() -> None:
    request = parse_request(combined(request="\\x16\\x03\\x01", status=400))
    assert (request.method, request.target, kind_of(request)) == ("", "\\x16\\x03\\x01", "http_error")


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b'1.2.3.4 - - [17/Foo/2015:12:05:03 +0000] "GET / HTTP/1.1" 200 1',
        b'1.2.3.4 - - [31/Feb/2015:12:05:03 +0000] "GET / HTTP/1.1" 200 1',
        b'{"ts": "2015-05-17T10:05:03Z"}',
        b'{"ts": "2015-05-17T10:05:03", "visitor": "v", "method": "GET", "path": "/", "status": 200}',
        b"{truncated",
        b'{"ts": "\xff"}',
    ],
)
def test_what_is_no_request_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(LineError):
        parse_request(line)


@pytest.mark.parametrize(
    ("method", "target", "status", "kind"),
    [
        ("GET", "/", 200, "page_view"),
        ("GET", "/blog/a.html?x=1.css", 200, "page_view"),
        ("GET", "/projects/tool-1.2", 200, "page_view"),
        ("GET", "/cached", 304, "page_view"),
        ("GET", "/style.CSS?v=3", 200, "request"),
        ("GET", "/favicon.ico", 200, "request"),
        ("GET", "/old", 301, "request"),
        ("HEAD", "/", 200, "request"),
        ("POST", "/cart", 200, "request"),
        ("GET", "/favicon.ico", 404, "http_error"),
        ("POST", "/cart", 500, "http_error"),
    ],
)
def test_what_a_request_counts_as(method: str, target: str, status: int, kind: str) -> None:
    assert kind_of(parse_request(combined(f"{method} {target} HTTP/1.1", status))) == kind


def test_events_have_the_logs_times_and_no_address() -> None:
    events, _ = imported([combined(status=404)])
    (event,) = events
    assert event["type"] == "http_error" and event["kind"] == "error"
    assert event["ts"] == "2015-05-17T10:05:03.000Z"
    assert event["props"] == {
        "status": 404,
        "method": "GET",
        "bytes": 512,
        "request_path": "/a",
        "user_agent": CHROME,
    }
    assert b"203.0.113.9" not in orjson.dumps(event)


def test_equal_lines_get_ids_of_their_own_and_a_second_import_the_same_ids() -> None:
    lines = [combined(), combined(), combined("GET /z HTTP/1.1")]
    first, _ = imported(lines)
    second, _ = imported(lines)
    ids = [event["event_id"] for event in first]
    assert len(set(ids)) == 3
    assert [event["event_id"] for event in second] == ids


def test_an_overlapping_log_repeats_the_ids_of_what_both_hold() -> None:
    a, b, c = (combined(stamp=f"17/May/2015:12:05:0{n} +0200") for n in range(3))
    first, _ = imported([a, b])
    second, _ = imported([b, c])
    assert first[1]["event_id"] == second[0]["event_id"]
    assert len({event["event_id"] for event in (*first, *second)}) == 3


def test_visitors_are_told_apart_by_address_and_agent_under_the_key() -> None:
    base = parse_request(combined())
    assert visitor_id(base, KEY) == visitor_id(parse_request(combined("GET /other HTTP/1.1")), KEY)
    others = {
        visitor_id(parse_request(combined(address="203.0.113.10")), KEY),
        visitor_id(parse_request(combined(agent=GOOGLEBOT)), KEY),
        visitor_id(base, b"x" * 32),
    }
    assert len(others - {visitor_id(base, KEY)}) == 3


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    key = visitor_key(tmp_path / "new")
    assert visitor_key(tmp_path / "new") == key and len(key) == 32
    assert stat.S_IMODE((tmp_path / "new" / "visitor.key").stat().st_mode) == 0o600


def test_a_damaged_key_is_named_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "visitor.key").write_bytes(b"short")
    with pytest.raises(OSError, match=r"visitor\.key is not a key"):
        visitor_key(tmp_path)


def test_the_summary_counts_everything_once() -> None:
    lines = [
        combined("GET / HTTP/1.1"),
        combined("GET /x.css HTTP/1.1"),
        combined("GET /nope HTTP/1.1", 404),
        b"rubbish",
        combined("GET / HTTP/1.1", agent=GOOGLEBOT),
    ]
    events, summary = imported(lines)
    assert summary.as_dict() == {
        "lines": 5,
        "page_views": 2,
        "errors": 1,
        "errors_by_status": {"404": 1},
        "other_requests": 1,
        "visitors": 2,
        "bots": 1,
        "bot_requests": 1,
        "unparsable_lines": 1,
        "unparsable": [{"line": 4, "reason": "not a line of the combined log format"}],
    }
    assert [event["is_bot"] for event in events] == [False, False, False, True]
