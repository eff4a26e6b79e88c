"""What a peer says of one visitor: the domain's rows, those that differ from what was said before."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

import msgspec

from processors.domain.funnels.patience import StepTimes
from processors.domain.rules import Rules
from processors.domain.snapshot import Row, take_snapshot, tombstone
from processors.domain.visitor import ATTEMPT, SESSION, SIGNAL, Visitor
from schemas import topics

TOPIC_NAME: Final = {SESSION: topics.SESSIONS.name, ATTEMPT: topics.FUNNELS.name, SIGNAL: topics.SIGNALS.name}

_encode: Final = msgspec.json.Encoder().encode


def news(visitor: Visitor, frontier: int, rules: Rules, times: StepTimes) -> Iterator[tuple[str, bytes]]:
    """(topic name, row as JSON) of what changed since the last call; everything up to `frontier` (Unix ms) was seen."""
    snapshot = take_snapshot(visitor, frontier, rules, times)
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
        times.learn((visitor.site, *time.step), time.seconds, time.received)
        visitor.learnt = max(visitor.learnt, time.received)


def _written(row: Row) -> tuple[bytes, int]:
    """A row as JSON, and 32 bits of it without its version."""
    version, row.version = row.version, 0
    digest = zlib.crc32(_encode(row))
    row.version = version
    return _encode(row), digest
