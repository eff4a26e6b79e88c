"""CloudEvents in its three modes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.adapters.cloudevents import CLOUDEVENTS
from ingest.refusal import Refusal, RequestError
from tests.support.wire import fields, request

ID = "b0a4a1a6-6d0e-4a36-9a8e-3f8a2a3a1c11"
EVENT = {
    "specversion": "1.0",
    "id": ID,
    "source": "/shop/checkout",
    "type": "com.shop.order_completed",
    "time": "2026-11-22T16:10:09Z",
    "datacontenttype": "application/json",
    "visitorid": "v1",
    "traceparent": "00-1",
    "data": {"session_id": "s1", "value": 30, "url": "http://x/done"},
}
EXPECTED = {
    "type": "order_completed",
    "event_id": ID,
    "ts": datetime(2026, 11, 22, 16, 10, 9, tzinfo=UTC),
    "visitor_id": "v1",
    "session_id": "s1",
    "url": "http://x/done",
    "props": {"value": 30, "source": "/shop/checkout", "traceparent": "00-1"},
}


def read_one(body: Any, **headers: str) -> dict[str, Any]:
    (item,) = CLOUDEVENTS.read(request("/v1/cloudevents", body, headers=headers)).items
    return fields(item)


def test_structured_mode() -> None:
    assert read_one(EVENT) == EXPECTED


def test_batched_mode() -> None:
    items = CLOUDEVENTS.read(request("/v1/cloudevents", [EVENT, 1, EVENT])).items
    assert fields(items[0]) == fields(items[2]) == EXPECTED
    assert isinstance(items[1], Refusal)


def test_binary_mode() -> None:
    attributes = {name: value for name, value in EVENT.items() if name not in ("data", "datacontenttype")}
    headers = {f"Ce-{name.title()}": str(value) for name, value in attributes.items()}
    assert read_one(EVENT["data"], **headers) == EXPECTED
    assert read_one(b"plain \xc3\xa9", **headers)["props"]["data"] == "plain é"
    assert read_one(b"\xff", **headers)["props"]["data"] == "/w=="
    assert read_one(b"", **(headers | {"Ce-Subject": "caf%C3%A9"}))["props"]["subject"] == "café"


def test_data_in_base64() -> None:
    encoded = base64.b64encode(json.dumps(EVENT["data"]).encode()).decode()
    assert (
        read_one({name: value for name, value in EVENT.items() if name != "data"} | {"data_base64": encoded})
        == EXPECTED
    )


def test_an_id_that_only_its_source_makes_unique() -> None:
    one, other = (read_one(EVENT | {"id": "7", "source": source})["event_id"] for source in ("/a", "/b"))
    assert (one, other) == ("/a#7", "/b#7")
    assert len(read_one(EVENT | {"id": "7", "source": "x" * 500})["event_id"]) <= 200


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("page_view", "page_view"),
        ("com.shop.checkout.begin_checkout", "checkout_started"),
        ("com.shop.Something.Else", "com.shop.Something.Else"),
    ],
)
def test_types(type_: str, expected: str) -> None:
    assert read_one(EVENT | {"type": type_})["type"] == expected


@pytest.mark.parametrize("body", [b"", b"{", b"x"])
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        CLOUDEVENTS.read(request("/v1/cloudevents", body))
