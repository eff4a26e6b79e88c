"""Seeded shop traffic for the live bench, as the collector leaves it in Kafka: about 450 bytes an event.

Visitors come at a steady rate and look at pages for a while; one in twenty goes to the checkout and leaves it at some
step. Some clicks are repeated in anger, some pages break. Two hundred pages, a few browsers and releases.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator

import msgspec

from schemas.event import KIND_OF_TYPE, Event, from_ms

VISITORS_PER_S = 70.0  # with 15 events over five minutes each: about 1,000 events/s and 20,000 visitors at a time
EVENTS_PER_S = 600.0  # what they come to in the end, measured over a million
CHECKOUT_SHARE = 0.05
_STEPS = ("product_added", "checkout_started", "shipping", "payment", "order_completed")
_STEP_PASSED = 0.75
_BROWSERS = ("Chrome",) * 6 + ("Safari",) * 3 + ("Firefox",)
_DEVICES = ("desktop", "mobile", "mobile")

Moment = tuple[int, int, str, int]
"""(Unix ms, number of the visitor, type, page)."""


def visit(who: int, at: int, rnd: random.Random) -> Iterator[Moment]:
    """One visitor's events from `at` (Unix ms) on."""
    checkout = rnd.random() < CHECKOUT_SHARE
    for _ in range(rnd.randint(2, 10)):
        page = min(int(rnd.paretovariate(0.6)), 200)
        yield at, who, "page_view", page
        if rnd.random() < 0.02:
            yield at + 300, who, "js_error", page
        for _ in range(rnd.choice((0, 1, 1, 2))):
            at += rnd.randint(800, 15_000)
            yield at, who, "click", page
            if rnd.random() < 0.01:
                yield from ((at + 200 * n, who, "click", page) for n in (1, 2, 3))
        at += rnd.randint(1_000, 60_000)
    for step in _STEPS if checkout else ():
        yield at, who, step, 201
        if rnd.random() > _STEP_PASSED:
            return
        at += rnd.randint(5_000, 60_000)


def moments(rnd: random.Random, start_ms: int) -> Iterator[Moment]:
    """All visitors' events by time from `start_ms` (Unix ms) on, without end."""
    going: list[tuple[Moment, int, Iterator[Moment]]] = []
    who = 0
    while True:
        comes_at = start_ms + int(who * 1000 / VISITORS_PER_S)
        while going and going[0][0][0] <= comes_at:
            moment, number, rest = going[0]
            yield moment
            following = next(rest, None)
            if following is None:
                heapq.heappop(going)
            else:
                heapq.heapreplace(going, (following, number, rest))
        rest = visit(who, comes_at, rnd)
        heapq.heappush(going, (next(rest), who, rest))
        who += 1


def events(count: int, end_ms: int, seed: int = 7) -> Iterator[Event]:
    """The first `count` events, the last of them shortly before `end_ms` (Unix ms)."""
    start_ms = end_ms - int(count * 1000 / EVENTS_PER_S)
    rnd = random.Random(seed)
    for _, (ms, who, type_, page) in zip(range(count), moments(rnd, start_ms), strict=False):
        at = from_ms(ms)
        path = f"/p/{page}"
        value: dict[str, object] = {"value": 20 + who % 80, "currency": "EUR"}
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
            referrer="https://search.example/" if who % 2 else "",
            element=f"button#b{page % 7}" if type_ == "click" else "",
            x=200 + who % 400 if type_ == "click" else None,
            y=300 + page if type_ == "click" else None,
            device=_DEVICES[who % 3],
            browser=_BROWSERS[who % 10],
            os="Windows" if who % 3 == 0 else "Android",
            country="DE",
            release="2026.11.1" if ms - start_ms > 300_000 else "2026.11.0",
            error_class="js" if type_ == "js_error" else "",
            fingerprint=f"{page % 20:016x}" if type_ == "js_error" else "",
            message=f"TypeError: x{page % 20} is undefined" if type_ == "js_error" else "",
            props=value if KIND_OF_TYPE[type_] == "checkout" else {},
        )


encode = msgspec.json.Encoder().encode
