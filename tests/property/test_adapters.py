"""Whatever a client sends, every adapter either reads it or refuses it; nothing else ever comes out of one."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.adapters.adapter import Adapter, Answer, Page, Request
from ingest.adapters.registry import SERVED
from ingest.draft import Draft
from ingest.lines import LineWriter
from ingest.normalise import Normaliser
from ingest.refusal import Refusal, RequestError
from schemas.event import Event
from schemas.openapi import REQUEST_CODES
from schemas.routes import ROUTES
from tests.support.wire import RECEIVED_AT, request, verdicts

MAX_EVENTS: Final = 20
ADAPTERS: Final = [served for served in SERVED if isinstance(served, Adapter)]
PAGES: Final = [served for served in SERVED if isinstance(served, Page)]

# Members that some format reads, so that what is made up gets past the first look at it.
NAMES: Final = (
    *("batch", "data", "events", "event", "type", "e", "ue_px", "ue_pr", "cx", "co", "eid", "aid", "dtm"),
    *("ttm", "stm", "duid", "uid", "schema", "csp-report", "body", "age", "url", "exception", "values"),
    *("stacktrace", "frames", "message", "level", "tags", "request", "headers", "contexts", "mechanism"),
    *("timestamp", "aggregates", "attrs", "sid", "sent_at", "dsn", "length", "name", "params"),
    *("client_id", "timestamp_micros", "id", "time", "source", "specversion", "data_base64"),
    *("properties", "context", "anonymousId", "userId", "messageId", "distinct_id", "uuid", "api_key"),
    *("value", "metric", "attribution", "$elements", "$elements_chain", "$exception_list", "$event_type", "$set"),
    *("$web_vitals_LCP_value", "$web_vitals_LCP_event", "$device_id", "$lib", "tag_name", "classes", "traits", "page"),
)
TEXTS: Final = (
    *("$autocapture", "$exception", "$web_vitals", "$identify", "$snapshot", "posthog-python", "click", "identify"),
    *("", "pv", "ue", "se", "tr", "track", "page", "event", "session", "sessions", "csp-violation", "network-error"),
    *("crash", "purchase", "begin_checkout", "iglu:com.snowplowanalytics.snowplow/link_click/jsonschema/1-0-0"),
    *("iglu:com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action/jsonschema/1-0-2", "1795590472032"),
    *("http://[", "http://x/a?b#c", "2026-11-22T16:10:09Z", "e30", "{}", "\ud800", "\x00", "9" * 30, "NaN", "1e999"),
)


def scalars() -> st.SearchStrategy[Any]:
    numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 2**63, 1e308])
    return st.none() | st.booleans() | numbers | st.text(max_size=20) | st.sampled_from(TEXTS)


def values() -> st.SearchStrategy[Any]:
    names = st.sampled_from(NAMES) | st.text(max_size=8)
    return st.recursive(
        scalars(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
        max_leaves=25,
    )


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode(errors="surrogatepass")


def wrapped(value: Any, how: int) -> bytes:
    """`value` in the shapes in which formats put their events."""
    inner = json.dumps(value)
    encoded = base64.b64encode(as_json(value)).decode()
    shapes: tuple[bytes, ...] = (
        as_json(value),
        as_json([value, value]),
        *(as_json({member: [value]}) for member in ("batch", "data", "events", "aggregates")),
        as_json({"data": [{"e": "ue", "ue_pr": inner, "co": inner}]}),
        as_json({"data": [{"e": "ue", "ue_px": encoded, "cx": encoded}]}),
        as_json({"data": [{"e": "ue", "ue_pr": json.dumps({"data": value})}]}),
        as_json({"csp-report": value}),
        as_json([{"type": "csp-violation", "body": value}, {"type": "network-error", "body": value}]),
        *(b"{}\n" + as_json({"type": kind}) + b"\n" + as_json(value) for kind in ("event", "session", "sessions")),
        as_json({"events": [{"name": "purchase", "params": value}]}),
        as_json({"type": "a", "id": "1", "data": value}),
    )
    return shapes[how % len(shapes)]


def bodies() -> st.SearchStrategy[bytes]:
    made = st.builds(wrapped, values(), st.integers(0, 15))
    cut = st.builds(lambda body, at: body[: at % (len(body) + 1)], made, st.integers(0, 10_000))
    nested = st.sampled_from([b"[" * 2_000, b'{"data":' * 2_000, b'{"type":"event"}\n' + b"[" * 2_000])
    return made | cut | nested | st.binary(max_size=200)


QUERIES: Final = st.sampled_from(
    [
        "",
        "e=pv&aid=a",
        "e=ue&ue_px=%ff",
        "type=a&x=b&ts=c",
        "writeKey=a&writeKey=b",
        "=&&;",
        "a" * 500,
        "sentry_key=%00",
    ]
) | st.text(st.characters(codec="ascii"), max_size=60)
HEADERS: Final = st.dictionaries(
    st.sampled_from(["x-sentry-auth", "authorization", "referer", "origin", "ce-type", "ce-id", "user-agent"]),
    st.text(st.characters(codec="ascii"), max_size=30) | st.sampled_from(["Sentry sentry_key", "Basic !", "%ff"]),
)


def sent_to(served: Adapter | Page, body: bytes, query: str, headers: Mapping[str, str]) -> Request:
    """A request to the first of its paths."""
    route = ROUTES[served.name]
    path = route.paths[0]
    parameters = dict.fromkeys(re.findall(r"{(\w+)}", path), "42")
    return request(
        path, body, query=query, headers=headers, method=route.methods[0], parameters=parameters, max_events=MAX_EVENTS
    )


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
@settings(max_examples=150, deadline=None)
@given(body=bodies(), query=QUERIES, headers=HEADERS)
def test_every_body_is_read_or_refused(adapter: Adapter, body: bytes, query: str, headers: Mapping[str, str]) -> None:
    sent = sent_to(adapter, body, query, headers)
    try:
        assert isinstance(adapter.key(sent), bytes)
        submission = adapter.read(sent)
    except RequestError as error:
        assert REQUEST_CODES[error.code].status < 500
        answer = adapter.refuse(sent, error)
        assert 400 <= answer.status < 500
        return
    assert len(submission.items) <= MAX_EVENTS
    assert all(isinstance(item, (Draft, Refusal)) for item in submission.items)
    assert len(submission.originals()) == len(submission.items)
    assert all(isinstance(original, bytes) for original in submission.originals())
    assert isinstance(submission.write_key, bytes)
    normalise = Normaliser(
        RECEIVED_AT,
        shift=None,
        future_tolerance=RECEIVED_AT - RECEIVED_AT,
        max_nesting=32,
        next_id=lambda: "n",
    )
    write = LineWriter("shop", RECEIVED_AT, submission.sent_at, masks=False)
    for item in submission.items:
        if isinstance(item, Draft) and not normalise([item]):
            (line,) = write([item])
            assert msgspec.json.decode(line, type=Event).site == "shop"
    answer = adapter.answer(sent, submission, verdicts(len(submission.items)))
    assert answer.status in (200, 204)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@settings(max_examples=100, deadline=None)
@given(body=bodies(), query=QUERIES, headers=HEADERS)
def test_every_side_request_is_answered(page: Page, body: bytes, query: str, headers: Mapping[str, str]) -> None:
    sent = sent_to(page, body, query, headers)
    try:
        answer = page.serve(sent, lambda _key: True)
    except RequestError as error:
        assert REQUEST_CODES[error.code].status < 500
    else:
        assert isinstance(answer, Answer)
        assert answer.status < 500
