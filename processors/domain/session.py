"""Sessions: a visitor's facts cut by 30 minutes of silence or 24 hours of length, by event time (GA4, PostHog).

A client's session id keeps facts together and is cut by the same two rules. Facts without one (a server's order, say)
join the session of the visitor that they fall into or nearest to, else they form sessions of their own.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from processors.domain.fact import Fact

_received: Final = attrgetter("received")


@dataclass(frozen=True)
class SessionRules:
    """When a session ends: after `idle_ms` of silence, or `max_ms` after its start."""

    idle_ms: int = 1_800_000
    max_ms: int = 86_400_000


@dataclass(slots=True)
class Session:
    """One session. `facts` in event order; `superseded` when a later one of the same client session id follows.

    `last_received`: receipt time (Unix ms) of the newest fact in it.
    """

    session_id: str
    facts: list[Fact] = field(default_factory=list)
    superseded: bool = False
    last_received: int = 0

    @property
    def started(self) -> int:
        """Event time of the first fact, Unix ms."""
        return self.facts[0].ts

    @property
    def ended(self) -> int:
        """Event time of the last fact, Unix ms."""
        return self.facts[-1].ts


def sessionise(visitor: str, facts: list[Fact], rules: SessionRules) -> list[Session]:
    """The sessions of one visitor's `facts`, which are in event order; sessions in order of start.

    The result depends on the set of facts only.
    """
    session_ids = {fact.session_id for fact in facts}
    if len(session_ids) == 1:
        if facts[-1].ts - facts[0].ts <= min(rules.idle_ms, rules.max_ms):  # by far the most
            return [_whole(visitor, session_ids.pop(), facts)]
        return _cut(visitor, session_ids.pop(), facts, rules)
    groups: dict[str, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(fact.session_id, []).append(fact)
    loose = groups.pop("", [])
    sessions = [session for sid, group in groups.items() for session in _cut(visitor, sid, group, rules)]
    sessions.sort(key=lambda s: (s.started, s.session_id))
    sessions += _cut(visitor, "", _attach(loose, sessions, rules), rules)
    sessions.sort(key=lambda s: (s.started, s.session_id))
    return sessions


def _cut(visitor: str, session_id: str, facts: Sequence[Fact], rules: SessionRules) -> list[Session]:
    sessions: list[Session] = []
    current: Session | None = None
    start = last = 0
    for fact in facts:
        if current is None or fact.ts - last > rules.idle_ms or fact.ts - start > rules.max_ms:
            if current is not None:
                current.superseded = True
            start = fact.ts
            current = Session(session_id or _derived_id(visitor, start))
            sessions.append(current)
        current.facts.append(fact)
        last = fact.ts
    for session in sessions:
        session.last_received = max(map(_received, session.facts))
    return sessions


def _whole(visitor: str, session_id: str, facts: list[Fact]) -> Session:
    return Session(session_id or _derived_id(visitor, facts[0].ts), facts, False, max(map(_received, facts)))


def _attach(loose: Sequence[Fact], sessions: Sequence[Session], rules: SessionRules) -> list[Fact]:
    """Give each loose fact to the session it falls into or lies nearest to; return those that fit none.

    Bounds are those of the facts that carry the id, so one loose fact never draws in the next.
    """
    bounds = [(s.started, s.ended, s) for s in sessions]
    rest: list[Fact] = []
    for fact in loose:
        best: Session | None = None
        best_distance = rules.idle_ms
        for start, end, session in bounds:
            distance = max(start - fact.ts, fact.ts - end, 0)
            if distance < best_distance or (best is None and distance <= best_distance):
                best, best_distance = session, distance
        if best is None:
            rest.append(fact)
            continue
        at = bisect_right(best.facts, fact.order, key=lambda f: f.order)
        best.facts.insert(at, fact)
        best.last_received = max(best.last_received, fact.received)
    return rest


def _derived_id(visitor: str, start_ms: int) -> str:
    return hashlib.blake2b(f"{visitor}|{start_ms}".encode(), digest_size=8).hexdigest()
