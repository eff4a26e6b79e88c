"""The domain for a framework that keeps a state a visitor: an event and the state in, the rows that changed out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

from processors.domain.fact import decode_lines, to_fact
from processors.domain.funnels.patience import StepTimes
from processors.domain.rules import Rules
from processors.domain.snapshot import Row, take_snapshot, tombstone
from processors.domain.visitor import ATTEMPT, SESSION, SIGNAL, Visitor
from schemas import topics
from schemas.funnel import load_funnels
from schemas.products import FRICTION, FUNNELS, SESSIONS

TOPIC_NAME: Final = {SESSION: topics.SESSIONS.name, ATTEMPT: topics.FUNNELS.name, SIGNAL: topics.SIGNALS.name}
Said = tuple[str, bytes]
"""(topic name, row as JSON)."""

_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(Visitor).decode


class VisitorRules:
    """Sessions, funnels and friction; counts that visitors share cannot be kept by visitor."""

    def __init__(self) -> None:
        self._rules = Rules(funnels=load_funnels(), products=frozenset({SESSIONS, FUNNELS, FRICTION}))
        self._times = StepTimes()

    def hear(self, value: bytes, packed: bytes | None) -> tuple[bytes, list[Said]]:
        """The visitor's new state after the event line `value`, and the rows that it changes."""
        (line,), _ = decode_lines(value)
        visitor = Visitor(line.site, line.visitor_id) if packed is None else _unpack(packed)
        if line.event_id in visitor.facts:
            return _pack(visitor), []
        fact = to_fact(line, visitor.session(line.session_id), self._rules.reader)
        visitor.add(fact)
        rows = list(self._news(visitor, fact.received))
        return _pack(visitor), rows

    def _news(self, visitor: Visitor, frontier: int) -> Iterator[Said]:
        snapshot = take_snapshot(visitor, frontier, self._rules, self._times)
        visitor.patience = snapshot.patience
        for row_id, row in snapshot.rows.items():
            text, digest = _written(row)
            if visitor.emitted.get(row_id) != digest:
                visitor.emitted[row_id] = digest
                yield TOPIC_NAME[row_id.table], text
        for row_id in [row_id for row_id in visitor.emitted if row_id not in snapshot.rows]:
            del visitor.emitted[row_id]
            yield TOPIC_NAME[row_id.table], _encode(tombstone(visitor, row_id, snapshot))
        for time in snapshot.step_times:
            self._times.learn((visitor.site, *time.step), time.seconds, time.received)
            visitor.learnt = max(visitor.learnt, time.received)


def _written(row: Row) -> tuple[bytes, int]:
    """A row as JSON, and 32 bits of it without its version."""
    version, row.version = row.version, 0
    digest = zlib.crc32(_encode(row))
    row.version = version
    return _encode(row), digest
