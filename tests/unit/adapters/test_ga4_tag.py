"""GA4's tag in a page, as public analyses give its requests."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from ingest.adapters.ga4_tag import GA4_TAG
from ingest.refusal import RequestError
from tests.support.wire import fields, request, verdicts

SHARED = "v=2&tid=G-1&cid=123.456&sid=s1&uid=u1&dl=http%3A%2F%2Fx%2Fcart&dt=Cart&dr=http%3A%2F%2Fx%2F&cu=EUR"


def test_an_event_in_the_query() -> None:
    sent = request("/g/collect", query=f"{SHARED}&en=page_view&_et=12")
    (item,) = GA4_TAG.read(sent).items
    assert fields(item) == {
        "type": "page_view",
        "visitor_id": "123.456",
        "session_id": "s1",
        "user_id": "u1",
        "url": "http://x/cart",
        "title": "Cart",
        "referrer": "http://x/",
        "props": {"currency": "EUR", "engagement_time_msec": "12"},
    }
    assert GA4_TAG.key(sent) == b"G-1"


def test_events_in_the_lines_of_the_body() -> None:
    product = quote("idP1~nmShirt~pr10.5~qt2~zzwhatever")
    body = f"en=begin_checkout&epn.value=21&pr1={product}\r\nen=purchase&ep.transaction_id=T1&epn.value=21\r\n".encode()
    submission = GA4_TAG.read(request("/g/collect", body, query=SHARED))
    begin, order = map(fields, submission.items)
    assert (begin["type"], order["type"]) == ("checkout_started", "order_completed")
    assert begin["props"]["products"] == [{"product_id": "P1", "name": "Shirt", "price": 10.5, "quantity": 2.0}]
    assert order["props"] == {"order_id": "T1", "checkout_id": "T1", "value": 21.0, "currency": "EUR"}
    assert begin["visitor_id"] == order["visitor_id"] == "123.456"
    assert len(submission.originals()) == 2


def test_too_many_lines_are_refused() -> None:
    with pytest.raises(RequestError) as caught:
        GA4_TAG.read(request("/g/collect", b"en=a\n" * 3, query=SHARED, max_events=2))
    assert caught.value.code == "too_many_events"


def test_lines_that_make_the_query_many_times_its_size_are_refused() -> None:
    """Of 64 kB of query and 12 kB of lines there were 2500 events of 64 kB."""
    wide = "&".join(f"ep.p{n}=1" for n in range(1000))
    assert len(GA4_TAG.read(request("/g/collect", b"en=a\n" * 10, query=wide)).items) == 10
    with pytest.raises(RequestError) as caught:
        GA4_TAG.read(request("/g/collect", b"en=a\n" * 50, query=wide))
    assert caught.value.code == "body_too_large"


def test_the_answer_is_googles() -> None:
    sent = request("/g/collect", query=SHARED)
    assert GA4_TAG.answer(sent, GA4_TAG.read(sent), verdicts(0, (0, ""))).status == 204
