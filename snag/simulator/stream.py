"""The shop's traffic as the collector would get it: every visitor's events, encoded, in the order of arrival."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from itertools import count
from math import log
from random import Random
from typing import Any, Final

import orjson

from schemas.event import KIND_OF_TYPE, from_ms
from snag.pacing import Delivery
from snag.simulator.calibration import SHOP, Calibration
from snag.simulator.journey import visit
from snag.simulator.shopper import Shopper, draw_shopper
from snag.simulator.walk import Moment

SHOP_URL: Final = "https://shop.example"

_DAY_MS: Final = 86_400_000
_TRAVEL_MAX_MS: Final = 200  # what a beacon needs from the browser to the collector


@dataclass(frozen=True)
class Plan:
    """One run: the same plan makes the same bytes (on the same Python version).

    `visitors_per_s` is the mean of a Poisson process that starts at `start_ms` (Unix ms); `visitors` None never ends.
    """

    seed: int
    start_ms: int
    visitors: int | None
    visitors_per_s: float
    shop: Calibration = SHOP


def deliveries(plan: Plan) -> Iterator[Delivery]:
    """All deliveries of `plan` by rising `at_ms`: late events come late, repeated ones twice with the same id."""
    arrivals = Random(plan.seed)  # noqa: S311 - seeded on purpose: a simulation has to be repeatable
    salt = hashlib.blake2b(f"{plan.seed}|{plan.start_ms}".encode(), digest_size=4).hexdigest()
    arrived_ms = float(plan.start_ms)
    waiting: list[tuple[int, int, bytes]] = []
    order = count()  # breaks ties the same way every time
    for index in count():
        if index == plan.visitors:
            break
        arrived_ms += 1000 * arrivals.expovariate(plan.visitors_per_s)
        while waiting and waiting[0][0] < arrived_ms:
            at_ms, _, line = heappop(waiting)
            yield Delivery(at_ms, line)
        for at_ms, line in _visitor(plan, index, int(arrived_ms), salt):
            heappush(waiting, (at_ms, next(order), line))
    while waiting:
        at_ms, _, line = heappop(waiting)
        yield Delivery(at_ms, line)


def _visitor(plan: Plan, index: int, arrived_ms: int, salt: str) -> Iterator[tuple[int, bytes]]:
    """One visitor's deliveries, not yet in order. Each visitor has a generator of its own: others don't change it."""
    rng = Random(plan.seed << 32 ^ index + 1)  # noqa: S311 - seeded on purpose, as above
    shop = plan.shop
    shopper = draw_shopper(rng, shop)
    who = b"," + orjson.dumps(_envelope(shopper, f"{salt}-{index}"))[1:]  # once a visitor, not once an event
    late_log = log(shop.late_s)
    for number, moment in enumerate(visit(rng, shopper, shop)):
        ts_ms = arrived_ms + moment.at_ms
        line = orjson.dumps(_event(moment, f"{salt}-{index}-{number}", ts_ms))[:-1] + who
        at_ms = ts_ms + int(rng.random() * _TRAVEL_MAX_MS)
        if rng.random() < shop.late_rate:
            at_ms += int(1000 * min(shop.late_max_s, rng.lognormvariate(late_log, 1.0)))
        yield at_ms, line
        if rng.random() < shop.duplicate_rate:
            yield at_ms + 500 + int(rng.random() * 30_000), line


def _envelope(shopper: Shopper, name: str) -> dict[str, Any]:
    """The fields that all events of a visitor share."""
    return {
        "visitor_id": f"v-{name}",
        "session_id": f"s-{name}",
        "device": shopper.device,
        "browser": shopper.browser,
        "os": shopper.os,
        "country": shopper.country,
        "release": shopper.release,
        "is_bot": shopper.is_bot,
    }


def _event(moment: Moment, event_id: str, ts_ms: int) -> dict[str, Any]:
    """The event's own fields, as `POST /v1/events` takes them."""
    event: dict[str, Any] = {
        "event_id": event_id,
        "kind": KIND_OF_TYPE[moment.type],
        "type": moment.type,
        "ts": _iso(ts_ms),
        "url": SHOP_URL + moment.path,
        "path": moment.path,
    }
    if moment.element:
        event["element"] = moment.element
        event["x"] = moment.x
        event["y"] = moment.y
    if moment.message:
        event["message"] = moment.message
    if moment.props is not None:
        event["props"] = moment.props
    return event


def _iso(ms: int) -> str:
    """ISO 8601 UTC with milliseconds; arithmetic, since strftime costs five times as much."""
    day, of_day = divmod(ms, _DAY_MS)
    seconds, milli = divmod(of_day, 1000)
    return f"{_date(day)}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{milli:03d}Z"


@lru_cache(maxsize=64)
def _date(day: int) -> str:
    return from_ms(day * _DAY_MS).date().isoformat()
