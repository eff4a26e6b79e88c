"""Our own format in other dresses than JSON; JSON itself: tests/unit/test_ingest_decode.py."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from ingest.adapters.native import NATIVE
from ingest.refusal import Refusal
from tests.support.wire import fields, request

EVENTS = json.dumps([{"type": "click", "x": 1}, {"type": "search"}])


@pytest.mark.parametrize(
    "body",
    [
        EVENTS,
        "data=" + quote(EVENTS),
        "v=1&payload=" + quote(EVENTS),
        "data=" + quote(base64.b64encode(EVENTS.encode()).decode()),
    ],
)
def test_events_as_they_are_or_in_a_form(body: str) -> None:
    assert [fields(item)["type"] for item in NATIVE.read(request("/v1/events", body.encode())).items] == [
        "click",
        "search",
    ]


def test_a_form_of_an_events_own_fields() -> None:
    body = b"type=order_completed&visitor_id=v1&url=https%3A%2F%2Fa.example%2Fb&x=2&plan=pro+plus"
    submission = NATIVE.read(request("/v1/events", body))
    assert fields(submission.items[0]) == {
        "type": "order_completed",
        "visitor_id": "v1",
        "url": "https://a.example/b",
        "x": 2.0,
        "props": {"plan": "pro plus"},
    }
    assert submission.originals() == (body,)


def test_a_form_without_a_type_is_refused() -> None:
    (refused,) = NATIVE.read(request("/v1/events", b"url=a")).items
    assert isinstance(refused, Refusal)
    assert refused.code == "missing_type"
