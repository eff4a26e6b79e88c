"""What a client sees while the broker is away, and how fast the spool empties when it is back."""

from __future__ import annotations

import os
import time
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

import orjson

from bench.collector.load import Reading, wrk
from bench.collector.subjects import Subject
from tests.support.stack import KafkaServer
from tests.support.wait import wait_for

_DEADLINE_S: Final = 120


@dataclass(frozen=True)
class Outage:
    """Answers from the spool by events in a body, and the drain."""

    away: dict[int, Reading]
    spooled_events: int
    drain_s: float

    @property
    def drained_events_per_s(self) -> int:
        """While nobody posts."""
        return round(self.spooled_events / self.drain_s)


def ready(subject: Subject) -> dict[str, Any]:
    """What /ready says."""
    try:
        with urllib.request.urlopen(f"{subject.origin}/ready", timeout=5) as answer:
            found: dict[str, Any] = orjson.loads(answer.read())
    except urllib.error.HTTPError as error:
        found = orjson.loads(error.read())
    return found


def measure(subject: Subject, broker: KafkaServer, *, connections: int, seconds: int) -> Outage:
    """Kill the broker, post, start it again, and wait until the spool is empty.

    What the broker has not written yet is written first: on one disk the spool's first fsync would wait for all of it.
    """
    broker.kill()
    os.sync()
    wait_for(lambda: ready(subject)["kafka"] == "down", _DEADLINE_S, "the broker is missed")
    away = {
        size: wrk(
            subject.url,
            bodies,
            connections=connections,
            seconds=seconds,
            events_per_body=size,
            pid=subject.process.pid,
        )
        for size, bodies in subject.bodies.items()
    }
    broker.start()
    wait_for(lambda: ready(subject)["kafka"] == "up", _DEADLINE_S, "the broker is back")
    begun = time.perf_counter()
    wait_for(lambda: ready(subject)["spool"]["backlog_bytes"] == 0, _DEADLINE_S, "the spool is empty")
    drain_s = time.perf_counter() - begun
    return Outage(away, sum(reading.events for reading in away.values()), drain_s)
