"""One partition's state: buckets, the frontier of receipt time, and what to say next. Pure: time comes in as data."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from processors.domain.bucket import Bucket, visitor_key
from processors.domain.cohorts import Cohorts
from processors.domain.fact import Line, to_fact
from processors.domain.funnels.patience import StepTimes
from processors.domain.rates import MinuteKey, rate_row
from processors.domain.rules import Rules
from processors.domain.snapshot import Row, Snapshot, stretches_of, take_snapshot, tombstone
from processors.domain.visitor import ATTEMPT, COHORT, SESSION, SIGNAL, NewRow, RowId, Visitor
from schemas import topics
from schemas.rows import MinuteMetrics

TOPIC_OF_TABLE: Final = {SESSION: topics.SESSIONS, ATTEMPT: topics.FUNNELS, SIGNAL: topics.SIGNALS}

_SLOW_FACTS: Final = 500  # a visitor with more facts (a bot, mostly) is recomputed that much less often

_BACKLOG_MS: Final = 10_000  # behind by more, rows are about to change again: saying them less often catches up sooner
_BACKLOG_EMIT_MS: Final = 15_000

_encode: Final = msgspec.json.Encoder().encode


@dataclass
class Emission:
    """What a tick gives out: encoded rows by topic name, metrics, and the ids of rows said for the first time."""

    rows: dict[str, list[bytes]] = field(default_factory=dict)
    metrics: list[MinuteMetrics] = field(default_factory=list)
    new_rows: list[NewRow] = field(default_factory=list)


@dataclass
class Counts:
    """What a record did: events applied, repeats by event id."""

    applied: int = 0
    repeated: int = 0


class Partition:
    """The live state of one partition number of the co-partitioned topics."""

    def __init__(
        self,
        number: int,
        buckets: list[Bucket],
        rules: Rules,
        doubt_until: Mapping[str, int],
        step_times: StepTimes | None = None,
    ) -> None:
        """`doubt_until`: by topic, the log's end at load; what lies before may have been said by an earlier owner.

        `rules` may be replaced at any time: what is not final is then judged anew when it changes next.
        """
        self.number, self.buckets, self.rules = number, buckets, rules
        self.step_times = step_times or StepTimes()
        self.doubt_until = doubt_until
        self.frontier = 0
        self.received: dict[str, int] = {}
        self.changed: set[int] = set()
        self._ahead = {topic: max(b.offsets.get(topic, -1) for b in buckets) for topic in self._topics(buckets)}
        self._applied = {topic: min(b.offsets.get(topic, -1) for b in buckets) for topic in self._ahead}
        self._dirty: dict[tuple[int, str], bool] = {}
        self._cells_said = 0
        self._newest: dict[MinuteKey, int] = {}
        for bucket in buckets:
            for minute, received in bucket.newest.items():
                self._newest[minute] = max(received, self._newest.get(minute, 0))
        self._said_at = 0
        self._cohorts = Cohorts(number, buckets)
        self._due = [(at, i, key) for i, bucket in enumerate(buckets) for key, at in bucket.due.items()]
        heapq.heapify(self._due)

    @staticmethod
    def _topics(buckets: Iterable[Bucket]) -> set[str]:
        return {topic for bucket in buckets for topic in bucket.offsets}

    def apply(self, topic: str, offset: int, lines: Sequence[Line]) -> Counts:
        """Apply one record's events. Each bucket skips what its checkpoint already holds."""
        counts = Counts()
        buckets, n = self.buckets, len(self.buckets)
        restored = offset <= self._ahead.get(topic, -1)
        doubtful = offset < self.doubt_until.get(topic, 0)
        newest = self.received.get(topic, 0)
        reader = self.rules.reader
        for line in lines:
            who = "" if line.is_hot else line.visitor_id or line.session_id  # a hot key builds no session
            key = visitor_key(line.site, line.visitor_id, line.session_id) if who else line.event_id
            index = (zlib.crc32(key.encode()) >> 16) % n  # the low bits chose the partition
            bucket = buckets[index]
            fact = to_fact(line, reader)
            newest = max(newest, fact.received)
            if restored and offset <= bucket.offsets.get(topic, -1):
                continue
            self.changed.add(index)
            if who:
                visitor = bucket.visitor(key)
                if fact.event_id in visitor.facts:
                    counts.repeated += 1
                    continue
                if not fact.is_bot:
                    bucket.count(line.site, fact, visitor)
                visitor.add(fact)
                if doubtful:
                    visitor.distrust()
                self._dirty[index, key] = self._dirty.get((index, key), False) or line.kind == "checkout"
                bucket.due[key] = 0
            elif bucket.met(fact, is_hot=line.is_hot):
                counts.repeated += 1
                continue
            elif not fact.is_bot:
                bucket.count(line.site, fact, None)
            counts.applied += 1
        self.received[topic] = newest
        self._applied[topic] = offset
        return counts

    def advance(self, now: int, caught_up: Mapping[str, bool]) -> None:
        """Move the frontier: the least, over the raw topics, of the newest receipt time applied.

        A topic read to its end counts as the tick's time `now` (Unix ms). The frontier never goes back.
        """
        reached = min(now if at_end else self.received.get(topic, 0) for topic, at_end in caught_up.items())
        self.frontier = max(self.frontier, reached)

    def emit(self, now: int) -> Emission:
        """What to say at tick time `now` (Unix ms): changed rows, at once for checkouts, else every few seconds."""
        emission = Emission()
        while self._due and self._due[0][0] <= self.frontier:
            at, index, key = heapq.heappop(self._due)
            if self.buckets[index].due.get(key) == at:
                self._dirty[index, key] = True
        backlog = now - self.frontier > _BACKLOG_MS
        least = max(self.rules.emit_interval_ms, _BACKLOG_EMIT_MS) if backlog else self.rules.emit_interval_ms
        if backlog and now - self._said_at < least:
            return emission
        self._said_at = now
        for (index, key), urgent in list(self._dirty.items()):
            visitor = self.buckets[index].visitor(key)
            interval = least * (1 + len(visitor.facts) // _SLOW_FACTS)
            if now - visitor.last_emit >= interval or (urgent and len(visitor.facts) < _SLOW_FACTS):
                del self._dirty[index, key]
                self._emit_visitor(index, key, visitor, now, emission)
        self._emit_cells(now, emission)
        self._emit_cohorts(now, emission)
        return emission

    def _emit_visitor(self, index: int, key: str, visitor: Visitor, now: int, emission: Emission) -> None:
        snapshot = take_snapshot(visitor, self.frontier, self.rules, self.step_times)
        self.changed.add(index)
        visitor.last_emit = now
        for row_id, row in snapshot.rows.items():
            known = visitor.emitted.get(row_id)
            digest = _digest(row)
            if digest == known:
                continue
            if known is None:
                emission.new_rows.append((index, key, row_id))
            visitor.emitted[row_id] = digest
            self._say(emission, row_id, row)
        for row_id in [row_id for row_id in visitor.emitted if row_id not in snapshot.rows]:
            self._say(emission, row_id, tombstone(visitor, row_id, snapshot))
            if self._in_doubt():
                visitor.emitted[row_id] = (
                    0  # what was said before may know more facts: retract again when they are back
                )
            else:
                del visitor.emitted[row_id]
        self._cohorts.count(index, key, visitor, snapshot.counted)
        self._learn(visitor, snapshot)
        if snapshot.cut is not None:
            self._evict(visitor, snapshot)
        bucket = self.buckets[index]
        if visitor.facts and snapshot.next_change is not None:
            bucket.due[key] = snapshot.next_change
            heapq.heappush(self._due, (snapshot.next_change, index, key))
        else:
            bucket.due.pop(key, None)
        if not visitor.facts:
            bucket.visitors.drop(key)

    def _learn(self, visitor: Visitor, snapshot: Snapshot) -> None:
        visitor.patience = snapshot.patience
        for time in snapshot.step_times:
            self.step_times.learn((visitor.site, *time.step), time.seconds, time.received)
            visitor.learnt = max(visitor.learnt, time.received)

    def _in_doubt(self) -> bool:
        """Whether records that an earlier owner may have spoken of are still to be applied."""
        return any(self._applied.get(topic, -1) + 1 < until for topic, until in self.doubt_until.items())

    @staticmethod
    def _say(emission: Emission, row_id: RowId, row: Row) -> None:
        emission.rows.setdefault(TOPIC_OF_TABLE[row_id.table].name, []).append(_encode(row))

    def _evict(self, visitor: Visitor, snapshot: Snapshot) -> None:
        """Let go of facts before the cut, with the ids of their rows; shared counts keep what those facts added."""
        cut = snapshot.cut
        assert cut is not None  # noqa: S101  the caller checked; mypy cannot see it
        gone = [fact for fact in visitor.in_order() if fact.ts < cut]
        visitor.before = stretches_of(visitor, gone, self.rules)[-1]
        for fact in gone:
            del visitor.facts[fact.event_id]
        for row_id in [row_id for row_id in visitor.emitted if row_id.at < cut]:
            del visitor.emitted[row_id]
        visitor.counted = take_snapshot(visitor, self.frontier, self.rules, self.step_times).counted

    def _emit_cells(self, now: int, emission: Emission) -> None:
        if now - self._cells_said < self.rules.emit_interval_ms:
            return
        unsaid = {cell for bucket in self.buckets for cell in bucket.unsaid}
        for minute_key, cell_key in unsaid:
            minutes = [m for m in (bucket.minutes.get(minute_key) for bucket in self.buckets) if m is not None]
            self._newest[minute_key] = max(m.received for m in minutes)
            cells = [m.cells[cell_key] for m in minutes if cell_key in m.cells]
            row = rate_row(minute_key, cell_key, cells, self.number)
            emission.rows.setdefault(topics.ERROR_RATES.name, []).append(_encode(row))
        for index, bucket in enumerate(self.buckets):
            if bucket.unsaid:
                bucket.say()
                self.changed.add(index)
        self._cells_said = now
        self._forget_minutes()

    def _forget_minutes(self) -> None:
        """Let go of minutes that no late fact can reach any more, in all buckets at once: only their sum is a row.

        Called when every cell has been said.
        """
        final = [key for key, received in self._newest.items() if received < self._kept_since()]
        for key in final:
            del self._newest[key]
        for bucket in self.buckets if final else ():
            bucket.forget_minutes(final)

    def _kept_since(self) -> int:
        """Receipt time (Unix ms) before which facts that belong to no open session or attempt no longer matter."""
        return self.frontier - self.rules.lateness_ms - self.rules.link_ms

    def _emit_cohorts(self, now: int, emission: Emission) -> None:
        rows, emission.metrics = self._cohorts.emit(now, self.frontier, self.rules)
        if rows:
            emission.rows.setdefault(topics.FUNNEL_COHORTS.name, []).extend(map(_encode, rows))
            emission.new_rows += self._cohorts.new_rows()

    def remember(self, new_rows: Iterable[NewRow]) -> None:
        """Take in the ids of rows that an earlier owner may have said after its last checkpoint.

        The next checkpoint holds them, since it lets the journal that they come from go.
        """
        for index, key, row_id in new_rows:
            self.changed.add(index)
            if row_id.table == COHORT:
                self._cohorts.remember(index, key, row_id)
            else:
                self.buckets[index].visitor(key).emitted.setdefault(row_id, 0)

    def dump(self, index: int, applied: Mapping[str, int]) -> bytes:
        """One bucket's blob with the offsets applied so far; what has nothing more to say is put to rest."""
        bucket = self.buckets[index]
        for topic, offset in applied.items():
            bucket.offsets[topic] = max(offset, bucket.offsets.get(topic, -1))
        bucket.forget(self._cohorts.forget(self._dirty, self.frontier, self.rules), self._kept_since())
        self.changed.discard(index)
        return bucket.dump(lambda key: (index, key) in self._dirty)

    def visitors(self) -> int:
        """How many visitors are held."""
        return sum(len(bucket.visitors) for bucket in self.buckets)


def _digest(row: Row) -> int:
    """64 bits of a row's content without its version, so that only a changed row is said again."""
    version, row.version = row.version, 0
    text = _encode(row)
    row.version = version
    return zlib.crc32(text) << 32 | zlib.adler32(text)
