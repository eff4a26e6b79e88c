"""The pixel of pages without scripts."""

from __future__ import annotations

import pytest

from ingest.adapters.gif import GIF
from ingest.adapters.pixel import PIXEL
from ingest.refusal import Refusal, RequestError
from schemas.event import from_ms
from tests.support.wire import fields, request, verdicts


def get(query: str, referer: str = "http://x/cart") -> dict[str, object]:
    (item,) = PIXEL.read(request("/p.gif", method="GET", query=query, headers={"Referer": referer})).items
    return fields(item)


def test_an_image_without_words_is_a_view_of_the_page_that_holds_it() -> None:
    assert get("writeKey=wk") == {"type": "page_view", "url": "http://x/cart"}


def test_arguments_are_fields_and_others_are_properties() -> None:
    found = get("type=order_completed&visitor_id=v1&ts=1795590472032&x=1.5&value=30&url=http%3A%2F%2Fx%2Fdone&props=no")
    assert found == {
        "type": "order_completed",
        "visitor_id": "v1",
        "ts": from_ms(1795590472032),
        "x": 1.5,
        "url": "http://x/done",
        "props": {"value": "30"},
    }


def test_an_event_that_cannot_be_taken_is_refused() -> None:
    (item,) = PIXEL.read(request("/p.gif", method="GET", query="ts=yesterday")).items
    assert isinstance(item, Refusal)


@pytest.mark.parametrize("code", ["unauthorized", "unavailable", "internal_error"])
def test_the_answer_is_always_an_image(code: str) -> None:
    refused = PIXEL.refuse(request("/p.gif", method="GET"), RequestError(code))  # type: ignore[arg-type]
    assert (refused.body, refused.content_type) == (GIF, b"image/gif")
    assert refused.status >= 400
    taken = request("/p.gif", method="GET")
    answer = PIXEL.answer(taken, PIXEL.read(taken), verdicts(1))
    assert (answer.status, answer.body) == (200, GIF)
    assert dict(answer.headers)[b"cache-control"].startswith(b"no-store")
