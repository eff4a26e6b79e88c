"""The web-vitals library's metrics."""

from __future__ import annotations

from ingest.adapters.web_vitals import WEB_VITALS
from tests.support.wire import fields, request

LCP = {
    "name": "LCP",
    "value": 72.5,
    "rating": "good",
    "delta": 72.5,
    "entries": [{"entryType": "largest-contentful-paint", "size": 3382}],
    "id": "v6-1795590482462-4925627885319",
    "navigationType": "navigate",
    "navigationId": 8805,
    "navigationURL": "http://x/cart",
    "navigationStartTime": 0,
}


def test_a_metric() -> None:
    (item,) = WEB_VITALS.read(request("/v1/vitals", LCP)).items
    assert fields(item) == {
        "type": "web_vital",
        "event_id": "v6-1795590482462-4925627885319:72.5",
        "url": "http://x/cart",
        "props": {
            "name": "LCP",
            "value": 72.5,
            "rating": "good",
            "delta": 72.5,
            "id": "v6-1795590482462-4925627885319",
            "navigation_type": "navigate",
            "navigation_id": 8805,
        },
    }


def test_a_metric_that_grows_is_another_report() -> None:
    items = WEB_VITALS.read(request("/v1/vitals", [LCP, LCP | {"value": 80}, LCP])).items
    first, second, third = (fields(item)["event_id"] for item in items)
    assert first == third != second


def test_a_page_may_say_who_and_where() -> None:
    said = {"visitor_id": "v1", "session_id": "s1", "page": "cart", "attribution": {"target": "img#hero"}}
    (item,) = WEB_VITALS.read(request("/v1/vitals", LCP | said)).items
    expected = {"visitor_id": "v1", "session_id": "s1", "page": "cart", "element": "img#hero"}
    assert fields(item).items() >= expected.items()


def test_an_older_library_names_no_page() -> None:
    metric = {"name": "CLS", "value": 0, "id": "v3-1"}
    (item,) = WEB_VITALS.read(request("/v1/vitals", metric, headers={"Referer": "http://x/"})).items
    assert fields(item)["url"] == "http://x/"


def test_beacons_are_sent_once() -> None:
    assert WEB_VITALS.prefers_spool
