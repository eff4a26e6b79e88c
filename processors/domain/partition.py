"""One partition's state: buckets, the frontier of receipt time, and what to say next. Pure: time comes in as data."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from processors.domain.bucket import Bucket, visitor_key
from processors.domain.catch_up import CatchUp
from processors.domain.cohorts import Cohorts
from processors.domain.emission import Emission
from processors.domain.fact import CLICKSTREAM, Fact, Line, MakeFact, to_fact, to_session_fact
from processors.domain.funnels.patience import StepTimes
from processors.domain.minutes import Minutes
from processors.domain.pace import SLOW_FACTS, pace_at
from processors.domain.rules import Rules
from processors.domain.snapshot import Snapshot, take_snapshot
from processors.domain.stretch import find_stretches
from processors.domain.visitor import COHORT, NewRow, Visitor
from schemas import topics
from schemas.event import to_ms
from schemas.products import RATES


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
        *,
        step_times: StepTimes | None = None,
        minutes: Minutes | None = None,
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
        self.minutes = minutes or Minutes()
        self._applied = {topic: min(b.offsets.get(topic, -1) for b in buckets) for topic in self._topics(buckets)}
        self._ahead = dict(self.minutes.ahead)
        self._catch_up = CatchUp(self.minutes, self._applied)
        for i, bucket in enumerate(buckets):
            bucket.number = i
            for topic, offset in bucket.offsets.items():
                self._ahead[topic] = max(offset, self._ahead.get(topic, -1))
        self._near: dict[str, Visitor] = {}
        self._dirty: dict[str, bool] = {}
        self._cells_said = 0
        self._said_at = 0
        self._cohorts = Cohorts(number, buckets)

    @staticmethod
    def _topics(buckets: Iterable[Bucket]) -> set[str]:
        return {topic for bucket in buckets for topic in bucket.offsets}

    def apply(self, topic: str, offset: int, lines: Sequence[Line]) -> Counts:
        """Apply one record's events. Each bucket skips what its checkpoint already holds."""
        counts = Counts()
        reader, buckets, minutes = self.rules.reader, self.buckets, self.minutes
        make: MakeFact = to_session_fact if self.rules.only_sessions else to_fact
        rates = RATES in self.rules.products
        near, dirty, changed = self._near, self._dirty, self.changed
        restored = offset <= self._ahead.get(topic, -1)
        doubtful = offset < self.doubt_until.get(topic, 0)
        behind, wait = self.catching_up, self._catch_up.wait
        applied = 0
        for line in lines:
            session_id = line.session_id
            if line.is_hot or not (line.visitor_id or session_id):  # a hot key builds no session
                self._apply_loose(topic, offset, line, make(line, session_id, reader), counts)
                continue
            key = visitor_key(line.site, line.visitor_id, session_id)
            visitor = near.get(key)
            index = self._bucket_of(key) if visitor is None else visitor.bucket
            if restored and offset <= buckets[index].offsets.get(topic, -1):
                continue
            if visitor is None:
                visitor = near[key] = buckets[index].visitor(key)
            if line.event_id in visitor.facts:
                counts.repeated += 1
                continue
            fact = make(line, visitor.session(session_id), reader)
            if rates and not fact.is_bot and not (restored and minutes.holds(topic, offset, fact)):
                if behind:
                    wait(line.site, visitor, fact)
                else:
                    minutes.count(line.site, fact, visitor)
            visitor.add(fact)
            if doubtful and visitor.emitted:
                visitor.distrust()
            if fact.kind != CLICKSTREAM:
                dirty[key] = True
            elif key not in dirty:
                dirty[key] = False
            changed.add(index)
            applied += 1
        counts.applied += applied
        if lines:
            newest = to_ms(max([line.received_at for line in lines]))
            self.received[topic] = max(newest, self.received.get(topic, 0))
        self.skip_to(topic, offset + 1)
        return counts

    @property
    def catching_up(self) -> bool:
        """Whether buckets still lack events that the minutes have counted; until then nothing is said or written."""
        return self._catch_up.pending

    def skip_to(self, topic: str, offset: int) -> None:
        """The next offset of `topic` to be applied is `offset`; what lies before was applied or is lost."""
        self._applied[topic] = offset - 1
        if self.catching_up:
            self._catch_up.reach(topic, offset)

    def _apply_loose(self, topic: str, offset: int, line: Line, fact: Fact, counts: Counts) -> None:
        """Apply nobody's event: it counts in rates only."""
        bucket = self.buckets[self._bucket_of(fact.event_id)]
        if offset <= bucket.offsets.get(topic, -1):
            return
        self.changed.add(bucket.number)
        if bucket.met(fact, is_hot=line.is_hot):
            counts.repeated += 1
            return
        if RATES in self.rules.products and not fact.is_bot and not self.minutes.holds(topic, offset, fact):
            self.minutes.count(line.site, fact, None)
        counts.applied += 1

    def _bucket_of(self, key: str) -> int:
        return (zlib.crc32(key.encode()) >> 16) % len(self.buckets)  # the low bits chose the partition

    def advance(self, now: int, caught_up: Mapping[str, bool]) -> None:
        """Move the frontier: the least, over the raw topics, of the newest receipt time applied.

        A topic read to its end counts as the tick's time `now` (Unix ms). The frontier never goes back.
        """
        reached = min(now if at_end else self.received.get(topic, 0) for topic, at_end in caught_up.items())
        self.frontier = max(self.frontier, reached)

    def emit(self, now: int) -> Emission:
        """What to say at tick time `now` (Unix ms): changed rows, at once for checkouts and errors, else seldom."""
        emission = Emission()
        if self.catching_up:
            return emission
        for bucket in self.buckets:
            for at, key, ends in bucket.times.passed(self.frontier):
                if not ends:
                    self._dirty[key] = at > 0 or self._dirty.get(key, True)
                elif key not in self._dirty:
                    self._let_go(bucket, key)
        pace = pace_at(now, self.frontier, self.rules.emit_interval_ms)
        if pace.backlog and now - self._said_at < pace.every_ms:
            return emission
        self._said_at = now
        in_doubt = self._in_doubt()
        for key, urgent in list(self._dirty.items()):
            near = self._near.get(key)
            visitor = near or self._fetch(key)
            if visitor.newest > pace.active_since:
                continue
            facts = len(visitor.facts)
            if now - visitor.last_emit >= pace.waits_ms(facts) or (urgent and facts < SLOW_FACTS):
                del self._dirty[key]
                self._emit_visitor(key, visitor, now, emission, in_doubt=in_doubt)
                if pace.deep or near is None:  # who has paused, or rested while time passed, often thousands at once
                    self._near.pop(key, None)
                    self.buckets[visitor.bucket].visitors.put_to_rest(key)
        self._emit_cells(now, emission)
        self._emit_cohorts(now, emission)
        return emission

    def _fetch(self, key: str) -> Visitor:
        visitor = self._near[key] = self.buckets[self._bucket_of(key)].visitor(key)
        return visitor

    def _let_go(self, bucket: Bucket, key: str) -> None:
        bucket.visitors.drop(key)
        bucket.times.drop(key)
        self._near.pop(key, None)
        self.changed.add(bucket.number)

    def _emit_visitor(self, key: str, visitor: Visitor, now: int, emission: Emission, *, in_doubt: bool) -> None:
        snapshot = take_snapshot(visitor, self.frontier, self.rules, self.step_times)
        index = visitor.bucket
        if self.buckets[index].inherits(key):
            visitor.distrust()
        self.changed.add(index)
        visitor.last_emit = now
        emission.say_visitor(key, visitor, snapshot, in_doubt=in_doubt)
        self._cohorts.count(index, key, visitor, snapshot.counted)
        self._learn(visitor, snapshot)
        if snapshot.cut is not None:
            self._evict(visitor, snapshot.cut)
        bucket = self.buckets[index]
        if not visitor.facts:
            self._let_go(bucket, key)
            return
        bucket.times.enter(key, snapshot.next_change, ends=snapshot.ends)

    def _learn(self, visitor: Visitor, snapshot: Snapshot) -> None:
        visitor.patience = snapshot.patience
        for time in snapshot.step_times:
            self.step_times.learn((visitor.site, *time.step), time.seconds, time.received)
            visitor.learnt = max(visitor.learnt, time.received)

    def _in_doubt(self) -> bool:
        """Whether records that an earlier owner may have spoken of are still to be applied."""
        return any(self._applied.get(topic, -1) + 1 < until for topic, until in self.doubt_until.items())

    def _evict(self, visitor: Visitor, cut: int) -> None:
        """Let go of facts before `cut`, with the ids of their rows; shared counts keep what those facts added."""
        gone = visitor.let_go(cut)
        visitor.before = find_stretches(gone, visitor.before, self.rules.link_ms, self.rules.window_after)[-1]
        visitor.counted = {}
        if visitor.facts:
            visitor.counted = take_snapshot(visitor, self.frontier, self.rules, self.step_times).counted

    def _emit_cells(self, now: int, emission: Emission) -> None:
        if now - self._cells_said < self.rules.emit_interval_ms:
            return
        emission.say_all(topics.ERROR_RATES.name, self.minutes.rows(self.number))
        self._cells_said = now
        self.minutes.let_go(self._kept_since())

    def _kept_since(self) -> int:
        """Receipt time (Unix ms) before which facts that belong to no open session or attempt no longer matter."""
        return self.frontier - self.rules.lateness_ms - self.rules.link_ms

    def _emit_cohorts(self, now: int, emission: Emission) -> None:
        rows, emission.metrics = self._cohorts.emit(now, self.frontier, self.rules)
        if rows:
            emission.say_all(topics.FUNNEL_COHORTS.name, rows)
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
                self._fetch(key).emitted.setdefault(row_id, 0)

    def dump(self, index: int, applied: Mapping[str, int]) -> bytes:
        """One bucket's blob with the offsets applied so far; what has nothing more to say is put to rest."""
        bucket = self.buckets[index]
        for topic, offset in applied.items():
            bucket.offsets[topic] = max(offset, bucket.offsets.get(topic, -1))
        bucket.forget(self._cohorts.forget(self._dirty, self.frontier, self.rules), self._kept_since())
        self.changed.discard(index)
        for key in bucket.visitors.hot:
            if key in self._dirty:
                bucket.times.due[key] = 0
            else:
                self._near.pop(key, None)
        return bucket.dump(self._dirty.__contains__)

    def visitors(self) -> int:
        """How many visitors are held."""
        return sum(len(bucket.visitors) for bucket in self.buckets)
