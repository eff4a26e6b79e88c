"""The minutes of one partition: cells of error rates, each minute checkpointed as a record of its own.

A minute's record is written before the buckets whose events it counts, so after a crash it holds everything a bucket
holds and perhaps more. Events that come again are then counted by the buckets that miss them and skipped here.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from processors.domain.fact import Fact
from processors.domain.rates import MINUTE_MS, Cell, CellKey, cells_of, count, enter, rate_row
from processors.domain.visitor import Visitor
from schemas.rows import ErrorRateRow

_PACKED_LEVEL: Final = 1  # rests for a day: a third of the size at a fraction of a millisecond


class Minute(msgspec.Struct, array_like=True):
    """The cells of one minute. `offsets`: by topic, the last offset counted, as of the last record; `received`: receipt
    time (Unix ms) of the newest fact in it; `said`: whether every cell has been said.
    """

    offsets: dict[str, int] = {}
    received: int = 0
    said: bool = True
    cells: dict[CellKey, Cell] = {}


class _Header(msgspec.Struct, array_like=True):
    offsets: dict[str, int]
    received: int
    said: bool
    cells: msgspec.Raw


_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(Minute).decode
_unpack_header: Final = msgspec.msgpack.Decoder(_Header).decode


class Minutes:
    """All minutes that may still change, by their start (Unix ms). Minutes that rest are packed."""

    def __init__(self, records: Mapping[int, bytes] | None = None, offsets: Mapping[str, int] | None = None) -> None:
        """`records` as `changes` gave them; `offsets`: by topic, the last offset that all of them cover.

        `ahead`: by topic, the last offset that any of them covers.
        """
        self.offsets = dict(offsets or {})
        self.ahead = dict(self.offsets)
        self._hot: dict[int, Minute] = {}
        self._resting: dict[int, bytes] = {}
        self._received: dict[int, int] = {}
        self._changed: set[int] = set()
        self._unsaid: set[int] = set()
        self._gone: set[int] = set()
        self._current_at, self._current = -1, Minute()
        for at, record in (records or {}).items():
            header = _unpack_header(record)
            self._received[at] = header.received
            self.ahead = _later(self.ahead, header.offsets)
            if header.said:
                self._resting[at] = zlib.compress(record, _PACKED_LEVEL)
            else:
                self._hot[at] = _unpack(record)
                self._unsaid.add(at)

    def __len__(self) -> int:
        return len(self._hot) + len(self._resting)

    def holds(self, topic: str, offset: int, fact: Fact) -> bool:
        """Whether the record of `fact`'s minute has counted this offset."""
        if offset <= self.offsets.get(topic, -1):
            return True
        minute = self._at(fact.ts - fact.ts % MINUTE_MS)
        return offset <= minute.offsets.get(topic, -1)

    def count(self, site: str, fact: Fact, visitor: Visitor | None) -> None:
        """Count a new fact in its minute's cells; call it before `visitor` (None: nobody's event) takes the fact in."""
        at = fact.ts - fact.ts % MINUTE_MS
        if at != self._current_at:
            self._turn_to(at)
        minute = self._current
        if fact.received > minute.received:  # noqa: PLR1730  max() would cost a tenth of this method
            minute.received = fact.received
        for key in cells_of(site, fact):
            cell = minute.cells.get(key)
            if cell is None:
                cell = minute.cells[key] = Cell()
            count(cell, fact)
            if visitor is not None:
                enter(cell, key, fact, visitor)

    def _turn_to(self, at: int) -> None:
        self._current_at, self._current = at, self._at(at)
        self._changed.add(at)
        self._unsaid.add(at)

    def _at(self, at: int) -> Minute:
        minute = self._hot.get(at)
        if minute is None:
            packed = self._resting.pop(at, None)
            minute = self._hot[at] = _unpack(zlib.decompress(packed)) if packed else Minute()
            self._received.setdefault(at, 0)
            self._gone.discard(at)
        return minute

    def rows(self, source_partition: int) -> Iterator[ErrorRateRow]:
        """The rows of cells that have changed since they were said; from now on they count as said."""
        self._current_at = -1
        for at in self._unsaid:
            minute = self._hot[at]
            self._received[at] = minute.received
            self._changed.add(at)
            minute.said = True
            for key, cell in minute.cells.items():
                if not cell.said:
                    cell.said = True
                    yield rate_row(at, key, cell, source_partition)
        self._unsaid.clear()

    def let_go(self, received_before: int) -> None:
        """Drop minutes last received before (Unix ms). Call it when every cell has been said."""
        self._current_at = -1
        for at in [at for at, received in self._received.items() if received < received_before]:
            del self._received[at]
            self._hot.pop(at, None)
            self._resting.pop(at, None)
            self._changed.discard(at)
            self._gone.add(at)

    def changes(self, applied: Mapping[str, int]) -> list[tuple[int, bytes | None]]:
        """What to write: each changed minute's record, None for one that was let go. Minutes that did not change rest.

        `applied`: by topic, the last offset counted; `offsets` once all these records are written.
        """
        records: list[tuple[int, bytes | None]] = [(at, None) for at in self._gone]
        self._gone.clear()
        self._current_at = -1
        self.offsets = _later(self.offsets, applied)  # what comes again after a restart lies before what is counted
        for at, minute in list(self._hot.items()):
            minute.offsets = _later(minute.offsets, applied)
            minute.said = at not in self._unsaid
            if at in self._changed:
                records.append((at, _pack(minute)))
            elif minute.said:
                self._resting[at] = zlib.compress(_pack(minute), _PACKED_LEVEL)
                del self._hot[at]
        self._changed.clear()
        return records


def _later(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {topic: max(one.get(topic, -1), other.get(topic, -1)) for topic in one.keys() | other.keys()}
