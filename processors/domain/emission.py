"""What a tick gives out. A row is said only when it differs from what was said of it last; one that no longer holds is
retracted."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from processors.domain.snapshot import Row, Snapshot, tombstone
from processors.domain.visitor import ATTEMPT, SESSION, SIGNAL, NewRow, RowId, Visitor
from schemas import topics
from schemas.rows import ErrorRateRow, FunnelCohortRow, MinuteMetrics

_TOPIC_NAME: Final = {SESSION: topics.SESSIONS.name, ATTEMPT: topics.FUNNELS.name, SIGNAL: topics.SIGNALS.name}

_encode: Final = msgspec.json.Encoder().encode


@dataclass
class Emission:
    """Encoded rows by topic name, metrics, and the ids of rows said for the first time."""

    rows: dict[str, list[bytes]] = field(default_factory=dict)
    metrics: list[MinuteMetrics] = field(default_factory=list)
    new_rows: list[NewRow] = field(default_factory=list)

    def say_visitor(self, key: str, visitor: Visitor, snapshot: Snapshot, *, in_doubt: bool) -> None:
        """Say those of the visitor's rows that changed; `key` names the visitor in its bucket.

        `in_doubt`: whether an earlier owner may have said rows that know more facts. What is retracted then is
        retracted again when those facts are back.
        """
        emitted = visitor.emitted
        for row_id, row in snapshot.rows.items():
            known = emitted.get(row_id)
            text, digest = _written(row)
            if digest == known:
                continue
            if known is None:
                self.new_rows.append((visitor.bucket, key, row_id))
            emitted[row_id] = digest
            self._say(row_id, text)
        if len(emitted) == len(snapshot.rows):
            return
        for row_id in [row_id for row_id in emitted if row_id not in snapshot.rows]:
            self._say(row_id, _encode(tombstone(visitor, row_id, snapshot)))
            if in_doubt:
                emitted[row_id] = 0
            else:
                del emitted[row_id]

    def say_all(self, topic: str, rows: Iterable[ErrorRateRow | FunnelCohortRow]) -> None:
        """Say rows of counts that visitors share."""
        if encoded := [_encode(row) for row in rows]:
            self.rows.setdefault(topic, []).extend(encoded)

    def _say(self, row_id: RowId, text: bytes) -> None:
        self.rows.setdefault(_TOPIC_NAME[row_id.table], []).append(text)


_NO_VERSION: Final = b'"version":0'  # cannot stand in a value: quotes in JSON text are escaped


def _written(row: Row) -> tuple[bytes, int]:
    """A row as text, and 64 bits of it without its version, so that only a changed row is said again."""
    version, row.version = row.version, 0
    text = _encode(row)
    return text.replace(_NO_VERSION, b'"version":%d' % version, 1), zlib.crc32(text) << 32 | zlib.adler32(text)
