"""Two hours of ordinary customers before the shop opens, so that the funnel is there and the alerts know a usual level.

Some hundred customers really walk through the shop's own application, on a clock of their own; what they have caused
is told many times over, with new ids and at other times of the two hours. The alerts judge minutes up to two hours old.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import orjson
from starlette.types import ASGIApp

from snag.demo.intent import draw
from snag.demo.plain_tab import PlainTab
from snag.demo.transport import InProcess
from snag.demo.walk import walk

SPAN_S: Final = 6600.0
"""How far back it goes: what is older than two hours when it is judged is no usual level any more."""

WALKS: Final = 800  # customers who walk, about 3 ms each; the level of the last step is known to 2 points then
TIMES: Final = 3
"""How often each walk is told. The alerts know a step's usual level from 300 attempts on, and a quarter of the
customers come to the payment: 2,400 are twice what is needed."""


async def recorded(app: ASGIApp, random: Random, count: int = WALKS) -> list[list[dict[str, Any]]]:
    """The events of `count` customers' walks through `app`, each on a clock that begins at Unix second 0."""
    walks: list[list[dict[str, Any]]] = []
    for _ in range(count):
        transport, clock, intent = InProcess(app), _Clock(), draw(random)
        await walk(PlainTab(transport, on_phone=intent.on_phone, now=clock.now, sleep=clock.sleep), intent, clock.now)
        walks.append(transport.kept)
    return walks


def told(walks: list[list[dict[str, Any]]], until_s: float, random: Random, times: int = TIMES) -> Iterator[bytes]:
    """Encoded events of all walks, `times` each, over SPAN_S before `until_s` (Unix s); by visit, oldest first."""
    visits = [(until_s - SPAN_S * random.random(), walk_) for walk_ in walks for _ in range(times)]
    visits.sort(key=lambda visit: visit[0])
    for start_s, events in visits:
        session, start = str(uuid.UUID(int=random.getrandbits(128))), datetime.fromtimestamp(start_s, UTC)
        for event in events:
            at = start + (datetime.fromisoformat(event["ts"]) - datetime.fromtimestamp(0, UTC))
            if at.timestamp() < until_s:
                fresh = {"event_id": str(uuid.UUID(int=random.getrandbits(128))), "session_id": session}
                yield orjson.dumps({**event, **fresh, "ts": at.isoformat(timespec="milliseconds")})


class _Clock:
    def __init__(self) -> None:
        self._now_s = 0.0

    def now(self) -> float:
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        self._now_s += seconds
