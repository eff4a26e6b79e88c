"""Snowplow's payloads, as its trackers were seen to send them."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from ingest.adapters.gif import GIF
from ingest.adapters.snowplow import SNOWPLOW, SNOWPLOW_PIXEL
from ingest.refusal import Refusal, RequestError
from schemas.event import from_ms
from tests.support.wire import fields, request, verdicts

SNOW = "iglu:com.snowplowanalytics.snowplow"
COMMERCE = f"{SNOW}.ecommerce"
COMMON = {"p": "web", "tv": "js-4.10.1", "tna": "sp", "aid": "wk_test", "eid": "e1", "dtm": "1795590472032"}
WHO = {"duid": "d1", "sid": "s1", "uid": "u1", "url": "http://x/cart?a=1"}
STM = "1795590472067"


def describe(schema: str, data: Any) -> dict[str, Any]:
    return {"schema": f"{schema}/jsonschema/1-0-0", "data": data}


def payload_data(*payloads: dict[str, Any]) -> dict[str, Any]:
    return describe(f"{SNOW}/payload_data", [payload | {"stm": STM} for payload in payloads])


def unstruct(schema: str, data: Any, *contexts: dict[str, Any]) -> dict[str, Any]:
    event = describe(f"{SNOW}/unstruct_event", describe(schema, data))
    found = COMMON | WHO | {"e": "ue", "ue_pr": json.dumps(event)}
    return found | {"co": json.dumps(describe(f"{SNOW}/contexts", list(contexts)))} if contexts else found


def read_one(payload: dict[str, Any]) -> dict[str, Any]:
    (item,) = SNOWPLOW.read(request("/com.snowplowanalytics.snowplow/tp2", payload_data(payload))).items
    return fields(item)


def commerce(type_: str, *contexts: dict[str, Any]) -> dict[str, Any]:
    action = {"type": type_}
    return read_one(unstruct(f"{COMMERCE}/snowplow_ecommerce_action", action, *contexts))


def test_a_page_view() -> None:
    view = COMMON | WHO | {"e": "pv", "page": "Cart", "refr": "http://x/", "res": "1280x720", "cookie": "1", "vid": "3"}
    submission = SNOWPLOW.read(request("/com.snowplowanalytics.snowplow/tp2", payload_data(view)))
    (item,) = submission.items
    assert fields(item) == {
        "type": "page_view",
        "event_id": "e1",
        "ts": from_ms(1795590472032),
        "visitor_id": "d1",
        "session_id": "s1",
        "user_id": "u1",
        "url": "http://x/cart?a=1",
        "title": "Cart",
        "referrer": "http://x/",
        "props": {
            "platform": "web",
            "tracker_version": "js-4.10.1",
            "tracker": "sp",
            "app_id": "wk_test",
            "screen": "1280x720",
            "session_index": "3",
        },
    }
    assert submission.sent_at == from_ms(int(STM))
    assert submission.write_key == b"wk_test"
    assert not submission.server_side
    assert json.loads(submission.originals()[0])["eid"] == "e1"


def test_the_visitor_is_the_domains_then_the_networks_then_the_user() -> None:
    for names, visitor in ((("duid", "nuid", "uid"), "d"), (("tnuid", "uid"), "t"), (("uid",), "u"), ((), None)):
        found = read_one(COMMON | {"e": "pv"} | {name: name[0] for name in names})
        assert found.get("visitor_id") == visitor


def test_session_and_visitor_may_stand_in_the_session_context_only() -> None:
    session = describe(f"{SNOW}/client_session", {"userId": "d2", "sessionId": "s2", "sessionIndex": 1})
    page = describe(f"{SNOW}/web_page", {"id": "p1"})
    extra = describe("iglu:com.acme/cart_state", {"items": 2})
    contexts = json.dumps(describe(f"{SNOW}/contexts", [session, page, extra]))
    found = read_one(COMMON | {"e": "pp", "pp_may": "500", "co": contexts})
    assert (found["type"], found["visitor_id"], found["session_id"]) == ("page_ping", "d2", "s2")
    assert found["props"]["page_view_id"] == "p1"
    assert found["props"]["contexts"] == {"cart_state": [{"items": 2}]}
    assert found["props"]["scroll_y_max"] == "500"


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("url_safe", [True, False])
def test_base64_in_either_alphabet_with_and_without_padding(*, padded: bool, url_safe: bool) -> None:
    data = {"t": "é?>~ÿÿ", "n": 1}
    outer = json.dumps(describe(f"{SNOW}/unstruct_event", describe("iglu:com.acme/thing", data)), ensure_ascii=False)
    encoded = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(outer.encode()).decode()
    text = encoded if padded else encoded.rstrip("=")
    found = read_one(COMMON | {"e": "ue", "ue_px": text})
    assert found["type"] == "thing"
    assert found["props"]["t"] == data["t"]


def test_what_cannot_be_unpacked_is_refused_and_its_neighbours_are_not() -> None:
    good = COMMON | {"e": "pv"}
    broken = [
        COMMON | {"e": "ue", "ue_px": "!!"},
        COMMON | {"e": "ue", "ue_pr": "{"},
        COMMON | {"e": "ue", "ue_pr": "{}"},
        COMMON | {"e": "ue"},
        COMMON | {"e": "pv", "cx": "bm8"},
    ]
    refused = SNOWPLOW.read(request("/a.b/tp2", payload_data(*broken, good))).items
    assert [(item.field, item.event_id) for item in refused[:-1] if isinstance(item, Refusal)] == [
        ("ue_px", "e1"),
        ("ue_pr", "e1"),
        ("ue_pr", "e1"),
        ("ue_pr", "e1"),
        ("cx", "e1"),
    ]
    assert fields(refused[-1])["type"] == "page_view"


@pytest.mark.parametrize(
    ("schema", "data", "type_", "element", "props"),
    [
        (
            "link_click",
            {"targetUrl": "http://y/", "elementId": "b1", "elementClasses": ["c"], "elementContent": "Buy"},
            "click",
            "a#b1.c",
            {"tag": "a", "href": "http://y/", "text": "Buy"},
        ),
        ("button_click", {"label": "Pay", "id": "pay"}, "click", "button#pay", {"tag": "button", "text": "Pay"}),
        (
            "focus_form",
            {"formId": "ff", "elementId": "email", "nodeName": "INPUT", "value": "a@b.c", "elementType": "email"},
            "form_start",
            "input#email",
            {"form": "ff", "field": "email", "input_type": "email"},
        ),
        (
            "change_form",
            {"formId": "ff", "elementId": "email", "nodeName": "INPUT", "value": "a@b.c", "type": "email"},
            "form_field",
            "input#email",
            {"form": "ff", "field": "email", "input_type": "email"},
        ),
        (
            "submit_form",
            {"formId": "ff", "elements": [{"name": "email", "value": "a@b.c", "nodeName": "INPUT"}]},
            "form_submit",
            "form#ff",
            {"form": "ff", "fields": ["email"]},
        ),
        (
            "site_search",
            {"terms": ["red", "shoe"], "totalResults": 0},
            "search",
            None,
            {"query": "red shoe", "results": 0},
        ),
        ("add_to_cart", {"sku": "p", "unitPrice": 4, "quantity": 3}, "product_added", None, {"value": 12, "price": 4}),
    ],
)
def test_what_people_do_on_a_page(
    schema: str, data: dict[str, Any], type_: str, element: str | None, props: dict[str, Any]
) -> None:
    found = read_one(unstruct(f"{SNOW}/{schema}", data))
    assert (found["type"], found.get("element")) == (type_, element)
    assert found["props"].items() >= props.items()
    assert "a@b.c" not in json.dumps(found["props"])


def test_a_script_error() -> None:
    data = {"message": "x is undefined", "exceptionName": "TypeError", "stackTrace": "at f", "lineNumber": 3}
    found = read_one(unstruct(f"{SNOW}/application_error", data))
    assert (found["type"], found["message"]) == ("js_error", "x is undefined")
    assert found["props"].items() >= {"error_type": "TypeError", "stack": "at f", "line": 3}.items()


PRODUCT = describe(f"{COMMERCE}/product", {"id": "P1", "price": 20, "quantity": 2, "currency": "EUR"})
CART = describe(f"{COMMERCE}/cart", {"total_value": 40, "currency": "EUR", "cart_id": "C1"})
TRANSACTION = describe(f"{COMMERCE}/transaction", {"transaction_id": "T1", "revenue": 40, "payment_method": "card"})


def test_a_product_is_put_into_the_cart() -> None:
    found = commerce("add_to_cart", PRODUCT, CART)
    assert found["type"] == "product_added"
    assert found["props"].items() >= {"value": 40, "currency": "EUR", "cart_id": "C1"}.items()
    assert found["props"]["products"] == [{"product_id": "P1", "price": 20, "quantity": 2, "currency": "EUR"}]
    assert commerce("add_to_cart", PRODUCT)["props"]["value"] == 40.0
    assert commerce("remove_from_cart", PRODUCT, CART)["type"] == "product_removed"
    assert commerce("product_view", PRODUCT)["type"] == "product_viewed"


@pytest.mark.parametrize(
    ("step", "type_"),
    [
        ({"step": 1, "account_type": "guest checkout"}, "checkout_started"),
        ({"step": 2, "delivery_method": "express"}, "shipping"),
        ({"step": 2, "shipping_full_address": "1 Main St"}, "shipping"),
        ({"step": 3, "payment_method": "card"}, "payment"),
        ({"step": 4, "marketing_opt_in": True}, "checkout_step_completed"),
    ],
)
def test_a_checkout_step_is_known_by_what_it_carries(step: dict[str, Any], type_: str) -> None:
    found = commerce("checkout_step", describe(f"{COMMERCE}/checkout_step", step))
    assert found["type"] == type_
    assert found["props"]["step"] == step["step"]
    assert "Main St" not in json.dumps(found["props"])


def test_an_order_its_failure_and_its_refund() -> None:
    order = commerce("transaction", PRODUCT, TRANSACTION)
    assert order["type"] == "order_completed"
    assert order["props"].items() >= {"order_id": "T1", "value": 40, "checkout_id": "T1"}.items()

    data = {"error_code": "E1", "error_description": "declined", "error_type": "hard", "resolution": "retry"}
    failed = commerce("trns_error", TRANSACTION, describe(f"{COMMERCE}/transaction_error", data))
    assert (failed["type"], failed["message"]) == ("payment_failed", "declined")
    assert failed["props"].items() >= {"error_code": "E1", "error_type": "hard", "order_id": "T1"}.items()

    refund = commerce("refund", describe(f"{COMMERCE}/refund", {"transaction_id": "T1", "refund_amount": 5}))
    assert refund["type"] == "order_refunded"
    assert refund["props"].items() >= {"order_id": "T1", "value": 5}.items()


def test_older_trackers_order_and_structured_events() -> None:
    order = read_one(COMMON | {"e": "tr", "tr_id": "T9", "tr_tt": "12.5", "tr_cu": "EUR"})
    assert order["type"] == "order_completed"
    assert order["props"].items() >= {"order_id": "T9", "value": "12.5", "checkout_id": "T9"}.items()
    added = read_one(COMMON | {"e": "se", "se_ca": "shop", "se_ac": "add-to-cart", "se_la": "l", "se_va": "10.5"})
    assert added["type"] == "product_added"
    assert added["props"].items() >= {"category": "shop", "action": "add-to-cart", "value": "10.5"}.items()


def test_a_true_timestamp_is_taken_as_it_is() -> None:
    true = COMMON | {"e": "pv", "ttm": "1795363813590"}
    submission = SNOWPLOW.read(request("/a.b/tp2", payload_data(true)))
    assert fields(submission.items[0])["ts"] == from_ms(1795363813590)
    assert submission.sent_at is None


def test_a_server_speaks_for_its_visitors() -> None:
    payload = {"e": "pv", "tv": "py-1.1.0", "ua": "Mozilla/5.0 X", "ip": "1.2.3.4"}
    submission = SNOWPLOW.read(request("/a.b/tp2", payload_data(payload)))
    assert submission.server_side
    assert fields(submission.items[0]).items() >= {"user_agent": "Mozilla/5.0 X", "ip": "1.2.3.4"}.items()


def test_the_pixel_takes_an_event_and_answers_an_image() -> None:
    event = unstruct("iglu:com.acme/thing", {"a": 1})
    get = request("/i", method="GET", query=urlencode(event))
    assert SNOWPLOW_PIXEL.key(get) == b"wk_test"
    submission = SNOWPLOW_PIXEL.read(get)
    assert fields(submission.items[0])["type"] == "thing"
    answer = SNOWPLOW_PIXEL.answer(get, submission, verdicts(1))
    assert (answer.status, answer.content_type, answer.body) == (200, b"image/gif", GIF)
    refused = SNOWPLOW_PIXEL.refuse(get, RequestError("unavailable"))
    assert (refused.status, refused.body) == (503, GIF)


def test_the_pixel_takes_base64_whose_plus_signs_a_query_made_spaces() -> None:
    outer = json.dumps(describe(f"{SNOW}/unstruct_event", describe("iglu:com.acme/thing", {"t": "~~~~>>>>"})))
    encoded = base64.b64encode(outer.encode()).decode()
    assert "+" in encoded
    get = request("/i", method="GET", query=f"e=ue&eid=e1&ue_px={encoded}")
    assert fields(SNOWPLOW_PIXEL.read(get).items[0])["props"]["t"] == "~~~~>>>>"


def test_a_post_is_answered_ok_and_never_413() -> None:
    post = request("/a.b/tp2", payload_data(COMMON | {"e": "pv"}))
    assert SNOWPLOW.answer(post, SNOWPLOW.read(post), verdicts(1)).body == b"ok"
    assert SNOWPLOW.refuse(post, RequestError("body_too_large")).status == 400
    assert SNOWPLOW.refuse(post, RequestError("too_many_events")).status == 400
    assert SNOWPLOW.refuse(post, RequestError("unsupported_encoding")).status == 400
    assert SNOWPLOW.refuse(post, RequestError("unavailable")).status == 503


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"data":[]}', b'{"data":1}', b"\xff", b"null"])
def test_a_body_without_events_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        SNOWPLOW.read(request("/a.b/tp2", body))
    assert caught.value.status == 400
