"""From an event as sent to the event as kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from ingest.draft import Draft
from ingest.event_ids import EventIds
from ingest.lines import LineWriter
from ingest.normalise import Normaliser
from ingest.refusal import Refusal
from schemas.event import Event

NOW = datetime(2026, 11, 24, 12, 0, 0, 500_000, tzinfo=UTC)
BEFORE = datetime(2026, 11, 24, 11, 59, 59, tzinfo=UTC)


def normaliser(shift: timedelta | None = None, max_nesting: int = 5) -> Normaliser:
    return Normaliser(
        NOW,
        shift=None if shift is None else lambda _: shift,
        future_tolerance=timedelta(hours=1),
        max_nesting=max_nesting,
        next_id=lambda: "assigned",
    )


def kept(normalise: Normaliser | None = None, **fields: Any) -> Event:
    """The event that is written for one that was sent."""
    draft = Draft(**{"type": "page_view"} | fields)
    assert not (normalise or normaliser())([draft])
    (line,) = LineWriter("shop", NOW, None, masks=False)([draft])
    return msgspec.json.decode(line, type=Event)


def refused(normalise: Normaliser | None = None, **fields: Any) -> Refusal:
    ((place, refusal),) = (normalise or normaliser())([Draft(**{"type": "a", "event_id": "e"} | fields)])
    assert place == 0
    return refusal


def test_the_least_event_is_completed() -> None:
    assert kept() == Event(
        event_id="assigned",
        site="shop",
        kind="clickstream",
        type="page_view",
        ts=NOW,
        received_at=NOW,
        ts_source="received",
    )


def test_every_field_is_carried_over() -> None:
    sent = {
        "event_id": "e",
        "type": "click",
        "session_id": "s",
        "visitor_id": "v",
        "user_id": "u",
        "url": "https://a.example/b?c",
        "path": "/p",
        "page": "pg",
        "referrer": "r",
        "title": "t",
        "element": "#e",
        "x": 1.5,
        "y": 2.0,
        "device": "d",
        "browser": "b",
        "os": "o",
        "country": "DE",
        "release": "1.0",
        "is_bot": True,
        "message": "m",
        "props": {"k": 1, "l": [True, None], "m": {"n": "o"}},
    }
    event = kept(**sent)
    assert {name: getattr(event, name) for name in sent} == sent


@pytest.mark.parametrize(
    ("type_", "kind", "expected"),
    [
        ("page_view", None, "clickstream"),
        ("js_error", None, "error"),
        ("order_completed", None, "checkout"),
        ("own_type", None, "clickstream"),
        ("own_type", "checkout", "checkout"),
    ],
)
def test_kind_is_the_clients_or_that_of_the_type(type_: str, kind: Any, expected: str) -> None:
    assert kept(type=type_, kind=kind).kind == expected


def test_a_past_moment_is_kept_as_history() -> None:
    history = datetime(2015, 6, 1, tzinfo=UTC)
    event = kept(ts=history)
    assert (event.ts, event.client_ts, event.ts_source) == (history, history, "client")


def test_a_moment_too_far_ahead_is_not_believed_but_kept() -> None:
    ahead = datetime(2100, 1, 1, tzinfo=UTC)
    event = kept(ts=ahead)
    assert (event.ts, event.client_ts, event.ts_source) == (NOW, ahead, "received_future")


def test_a_moment_within_the_tolerance_is_believed() -> None:
    ahead = NOW + timedelta(hours=1)
    assert kept(ts=ahead).ts == ahead


def test_ts_wins_over_timestamp() -> None:
    assert kept(ts=BEFORE, timestamp=NOW).client_ts == BEFORE
    assert kept(timestamp=BEFORE).client_ts == BEFORE


@pytest.mark.parametrize("said", [0, -5, 10**18, datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)])
@pytest.mark.parametrize("field", ["ts", "timestamp"])
def test_a_moment_outside_what_can_be_kept_is_refused(field: str, said: Any) -> None:
    refusal = refused(**{field: said})
    assert (refusal.code, refusal.field, refusal.event_id) == ("invalid_timestamp", field, "e")


def test_a_request_is_shifted_as_a_whole_and_what_the_client_said_stays() -> None:
    shift = timedelta(hours=-3)
    sent_at = NOW + timedelta(hours=3)
    normalise = normaliser(shift)
    first, second = (kept(normalise, ts=sent_at - timedelta(seconds=gap)) for gap in (7, 2))
    assert second.ts - first.ts == timedelta(seconds=5)
    assert second.ts == NOW - timedelta(seconds=2)
    assert (second.client_ts, second.ts_source) == (sent_at - timedelta(seconds=2), "client")


def test_a_retry_says_the_same_moment() -> None:
    assert kept(ts=1_764_000_000.5).client_ts == kept(ts=1_764_000_000_500).client_ts


def test_page_falls_back_to_path_and_path_to_url() -> None:
    event = kept(url="https://a.example/cart?x=1#y")
    assert (event.path, event.page) == ("/cart", "/cart")
    assert kept(path="/p").page == "/p"


def test_position_and_message_may_stand_in_props() -> None:
    event = kept(type="js_error", props={"x": 3, "y": 4.5, "message": "boom 17"})
    assert (event.x, event.y, event.message) == (3.0, 4.5, "boom 17")
    assert event.props == {"x": 3, "y": 4.5, "message": "boom 17"}
    assert kept(props={"x": "left", "y": True, "message": 5}).x is None
    assert kept(props={"x": 10**400}).x is None
    assert kept(x=1.0, props={"x": 2}).x == 1.0


def test_an_error_gets_its_class_and_fingerprint() -> None:
    one, other = (kept(type="js_error", message=f"item {number} failed") for number in (1, 2))
    assert one.error_class == "js"
    assert one.fingerprint == other.fingerprint != ""
    assert kept(type="http_error", props={"status": 503}).error_class == "http_5xx"
    assert kept().fingerprint == ""


def test_nesting_is_bounded() -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = 1
        for level in range(levels):
            value = [value] if level % 2 else {"k": value}
        return {"v": value}

    assert kept(props=nested(3)).props == nested(3)
    refusal = refused(props=nested(4))
    assert (refusal.code, refusal.event_id) == ("too_deep", "e")
    assert refused(normaliser(max_nesting=500), props=nested(499)).code == "too_deep"
    assert kept(normaliser(max_nesting=500), props=nested(498)).props == nested(498)


def test_assigned_ids_differ() -> None:
    ids = EventIds()
    made = [ids.next() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {len(made_id) for made_id in made} == {32}
