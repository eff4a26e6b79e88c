"""Seeded shop events for the live bench: as the collector leaves them in Kafka, about 400 bytes each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import msgspec

from schemas.event import KIND_OF_TYPE, Event, from_ms

START_MS = 1_795_000_000_000
_TYPES = ["page_view"] * 8 + ["click"] * 8 + ["product_added", "checkout_started", "js_error"]


def events(count: int, sessions: int, seed: int = 7) -> Iterator[Event]:
    """`count` events spread over `sessions` visitors with a session each, one every 100 us of event time."""
    rnd = random.Random(seed)
    for i in range(count):
        who = rnd.randrange(sessions)
        type_ = rnd.choice(_TYPES)
        path = f"/p/{rnd.randrange(50)}"
        at = from_ms(START_MS) + timedelta(microseconds=100 * i)
        yield Event(
            event_id=f"{rnd.getrandbits(128):032x}",
            site="shop",
            kind=KIND_OF_TYPE[type_],
            type=type_,
            ts=at,
            received_at=at,
            client_ts=at,
            session_id=f"s-{who:08d}",
            visitor_id=f"v-{who:08d}",
            url=f"https://shop.example{path}",
            path=path,
            page=path,
            element="button#buy" if type_ == "click" else "",
            x=rnd.randrange(1000) if type_ == "click" else None,
            y=rnd.randrange(1000) if type_ == "click" else None,
            device="desktop",
            browser="Chrome",
            os="Windows",
            country="DE",
            release="1.0.0",
            error_class="js" if type_ == "js_error" else "",
            fingerprint="0123456789abcdef" if type_ == "js_error" else "",
            props={"value": rnd.randrange(100)} if KIND_OF_TYPE[type_] == "checkout" else {},
        )


encode = msgspec.json.Encoder().encode
