"""GA4's Measurement Protocol, as its documentation gives it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.adapters.ga4 import GA4, GA4_DEBUG
from ingest.refusal import Refusal, RequestError
from schemas.event import from_ms
from tests.support.wire import fields, request, verdicts

BEGIN = {
    "name": "begin_checkout",
    "params": {"session_id": "123", "engagement_time_msec": 100, "currency": "EUR", "value": 30.0, "items": [{"a": 1}]},
}
BODY = {"client_id": "123.456", "user_id": "u1", "timestamp_micros": 1760000000000000, "events": [BEGIN]}


def read(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return [fields(item) for item in GA4.read(request("/mp/collect", BODY | {"events": events})).items]


def test_an_event() -> None:
    (found,) = read(BEGIN)
    assert found == {
        "type": "checkout_started",
        "ts": from_ms(1760000000000),
        "visitor_id": "123.456",
        "session_id": "123",
        "user_id": "u1",
        "props": {"engagement_time_msec": 100, "currency": "EUR", "value": 30.0, "products": [{"a": 1}]},
    }


def test_a_page_view_and_an_order() -> None:
    page, order = read(
        {
            "name": "page_view",
            "params": {"page_location": "http://x/", "page_title": "X", "page_referrer": "http://y/"},
        },
        {"name": "purchase", "params": {"transaction_id": "T1", "value": 9}, "timestamp_micros": 1760000001000000},
    )
    assert page.items() >= {"type": "page_view", "url": "http://x/", "title": "X", "referrer": "http://y/"}.items()
    assert (order["type"], order["ts"]) == ("order_completed", from_ms(1760000001000))
    assert order["props"] == {"order_id": "T1", "value": 9, "checkout_id": "T1"}


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("view_item", "product_viewed"),
        ("add_to_cart", "product_added"),
        ("remove_from_cart", "product_removed"),
        ("view_cart", "cart_viewed"),
        ("add_shipping_info", "shipping"),
        ("add_payment_info", "payment"),
        ("refund", "order_refunded"),
        ("search", "search"),
        ("login", "login"),
        ("form_start", "form_start"),
        ("own_event", "own_event"),
    ],
)
def test_names(name: str, type_: str) -> None:
    assert read({"name": name})[0]["type"] == type_


def test_an_event_without_a_name_is_told_in_googles_words() -> None:
    (refused,) = GA4.read(request("/mp/collect", {"client_id": "c", "events": [{}]})).items
    assert isinstance(refused, Refusal)
    assert (refused.field, "`name`" in refused.message) == ("name", True)


def test_the_key_is_the_api_secret() -> None:
    assert GA4.key(request("/mp/collect", query="measurement_id=G-X&api_secret=wk")) == b"wk"


def test_the_answer_is_googles() -> None:
    post = request("/mp/collect", BODY)
    answer = GA4.answer(post, GA4.read(post), verdicts(1))
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize("body", [b"", b"{", {"client_id": "1"}, {"events": 1}, {"events": []}])
def test_a_body_without_events_is_refused(body: Any) -> None:
    with pytest.raises(RequestError) as caught:
        GA4.read(request("/mp/collect", body))
    assert caught.value.status == 400


def validate(body: Any, *, known: bool = True) -> list[str]:
    answer = GA4_DEBUG.serve(request("/debug/mp/collect", body, query="api_secret=wk"), lambda _key: known)
    messages = json.loads(answer.body)["validationMessages"]
    assert all(set(message) == {"fieldPath", "description", "validationCode"} for message in messages)
    return [message["fieldPath"] for message in messages]


def test_validation() -> None:
    assert validate(BODY) == []
    assert validate(BODY, known=False) == ["api_secret"]
    assert validate(b"{") == [""]
    assert validate({}) == ["client_id", "events"]
    assert validate(BODY | {"events": [{"name": "1st"}, {"name": "x" * 41}, 1]}) == ["events"] * 3
    assert validate(BODY | {"events": [BEGIN] * 26}) == ["events"]
