"""A partition's cohorts: counts that visitors share, said as rows of the live funnel and as metrics for the alerts.

Rows are snapshots whose version is the frontier. What an earlier owner said may carry a higher one than this owner has
reached, so everything is said once more when the frontier has passed the moment of loading.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Final

from processors.domain.bucket import Bucket, MinuteKey
from processors.domain.funnels.cohort import MINUTE_MS, NOTHING, SESSIONS, CellKey, CohortKey, Steps, Tally
from processors.domain.rules import Rules
from processors.domain.visitor import COHORT, NewRow, RowId, Visitor
from schemas.event import from_ms
from schemas.rows import FunnelCohortRow, MinuteMetrics, StepCount

_METRICS_KEPT_MS: Final = 2 * 3_600_000  # alerts look at the last minutes; older counts change nothing they say
_MINUTES_AGAIN: Final = 200  # said again at a time after loading, so that no tick takes long


class Cohorts:
    """Counts of one partition; the numbers themselves lie in its buckets."""

    def __init__(self, number: int, buckets: Sequence[Bucket]) -> None:
        self._number, self._buckets = number, buckets
        self._fresh: set[MinuteKey] = set()
        self._unsaid: set[tuple[MinuteKey, CellKey]] = set()
        self._young: dict[tuple[MinuteKey, CellKey], int] = {}
        self._new: list[tuple[int, MinuteKey, CellKey]] = []
        self._said_at = 0
        self._again: dict[MinuteKey, None] = dict.fromkeys(chain(*(bucket.cohorts.keys() for bucket in buckets)))
        self._deciding = dict(self._again)
        self._loaded_at: int | None = None
        self._names: dict[tuple[str, int], tuple[str, ...]] = {}
        self._oldest = max((bucket.cohorts_since for bucket in buckets), default=0)
        self._waiting: set[str] = set()
        self._waiting_since = 0

    def forget(self, dirty: Iterable[str], frontier: int, rules: Rules) -> int:
        """The minute (Unix ms) before which counts are final: they may be let go, and nothing adds to them any more.

        `dirty`: who has yet to be counted. A replay moves the frontier by days between two emissions of a visitor, so
        what is final is judged by the frontier at which all who were dirty then had been counted since. Nothing is let
        go that is still to be said.
        """
        if not self._waiting and not self._unsaid and not self._again:
            final = self._waiting_since - rules.cohorts_kept_ms
            if not any(minute[1] < final for minute, _ in self._young):
                self._oldest = max(self._oldest, final)
                self._waiting, self._waiting_since = set(dirty), frontier
        return self._oldest

    def count(self, index: int, name: str, visitor: Visitor, counted: dict[CohortKey, Tally]) -> None:
        """Bring what `visitor` (named `name` in bucket `index`) adds up to date with `counted`."""
        self._waiting.discard(name)
        if counted == visitor.counted:
            return
        for key in counted.keys() | visitor.counted.keys():
            before, after = visitor.counted.get(key, NOTHING), counted.get(key, NOTHING)
            if before == after or key[0] < self._oldest:
                continue
            minute: MinuteKey = (visitor.site, key[0])
            cell: CellKey = key[1:]
            if (
                self._buckets[index].add_steps(minute, cell, after if before is NOTHING else after.minus(before))
                and cell != SESSIONS
            ):
                self._new.append((index, minute, cell))
            if before.entered != after.entered or before.in_time != after.in_time:
                self._fresh.add(minute)
                self._deciding.setdefault(minute, None)
            if cell != SESSIONS:
                self._unsaid.add((minute, cell))
        visitor.counted = counted

    def new_rows(self) -> list[NewRow]:
        """Ids of the cohorts said for the first time by the last `emit`, for the journal."""
        said = [] if self._unsaid else self._new
        self._new = self._new if self._unsaid else []
        return [
            (index, minute[0], RowId(COHORT, cell[0], f"{cell[1]}/{cell[2]}", minute[1]))
            for index, minute, cell in said
        ]

    def remember(self, index: int, site: str, row_id: RowId) -> None:
        """Take in a cohort that an earlier owner may have said: it is said again, empty if nobody belongs to it now."""
        version, step = row_id.id.split("/")
        minute: MinuteKey = (site, row_id.at)
        if row_id.at >= self._oldest:
            self._buckets[index].add_steps(minute, (row_id.name, int(version), int(step)), NOTHING)
            self._again[minute] = None

    def emit(self, now: int, frontier: int, rules: Rules) -> tuple[list[FunnelCohortRow], list[MinuteMetrics]]:
        """Rows and metrics to say at tick time `now` with everything received up to `frontier` seen (Unix ms)."""
        for funnel in rules.funnels:
            self._names[funnel.name, funnel.version] = tuple(step.name for step in funnel.steps)
        if self._loaded_at is None:
            self._loaded_at = now
        return self._rows(now, frontier, rules), self._metrics(frontier, rules)

    def _rows(self, now: int, frontier: int, rules: Rules) -> list[FunnelCohortRow]:
        if now - self._said_at < rules.emit_interval_ms:
            return []
        self._said_at = now
        ripe = [key for key, at in self._young.items() if at <= frontier]
        for key in ripe:
            del self._young[key]
        settled = self._loaded_at is not None and frontier >= self._loaded_at + rules.clock_skew_ms
        for minute in list(islice(self._again, _MINUTES_AGAIN)) if settled else ():
            del self._again[minute]
            if minute[1] >= self._oldest:
                self._unsaid.update((minute, cell) for cell in self._total(minute) if cell != SESSIONS)
        unsaid = sorted(self._unsaid.union(ripe))
        self._unsaid.clear()
        rows: list[FunnelCohortRow] = []
        for minute, cell in unsaid:
            ripe_at = minute[1] + MINUTE_MS + rules.ripe_after_ms(cell[0])
            if ripe_at > frontier:
                self._young[minute, cell] = ripe_at
            rows.append(self._row(minute, cell, frontier, ripe=ripe_at <= frontier))
            if not settled:
                self._again[minute] = None
        return rows

    def _row(self, minute: MinuteKey, cell: CellKey, frontier: int, *, ripe: bool) -> FunnelCohortRow:
        tally = NOTHING
        for bucket in self._buckets:
            if (steps := bucket.cohorts.get(minute)) is not None and cell in steps:
                tally = tally.plus(steps[cell])
        funnel, version, step = cell
        names = self._names.get((funnel, version), ())
        value, value_lost = tally.money
        return FunnelCohortRow(
            site=minute[0],
            funnel=funnel,
            funnel_version=version,
            minute=from_ms(minute[1]),
            step=step + 1,
            source_partition=self._number,
            version=frontier,
            name=names[step] if step < len(names) else "",
            entered=tally.entered,
            passed=tally.passed,
            stalled=tally.stalled,
            abandoned=tally.abandoned,
            open=tally.open,
            value=value,
            value_lost=value_lost,
            ripe=ripe,
        )

    def _total(self, minute: MinuteKey) -> Steps:
        total: Steps = {}
        for bucket in self._buckets:
            for cell, tally in (bucket.cohorts.get(minute) or {}).items():
                total[cell] = total.get(cell, NOTHING).plus(tally)
        return total

    def _metrics(self, frontier: int, rules: Rules) -> list[MinuteMetrics]:
        wait_ms = MINUTE_MS + int(rules.ripe_after_s * 1000)
        decided = [minute for minute in self._deciding if minute[1] + wait_ms <= frontier]
        for minute in decided:
            del self._deciding[minute]
        oldest = max(self._oldest, frontier - _METRICS_KEPT_MS)
        minutes = sorted(minute for minute in self._fresh.union(decided) if minute[1] >= oldest)
        self._fresh.clear()
        return [self._minute_metrics(minute, frontier, rules) for minute in minutes]

    def _minute_metrics(self, minute: MinuteKey, frontier: int, rules: Rules) -> MinuteMetrics:
        total = self._total(minute)
        sessions = total.get(SESSIONS, NOTHING)
        judged = {(p.funnel.name, p.funnel.version): p.judged for p in rules.plans}
        steps = [
            StepCount(
                funnel=funnel, step=step, name=self._names[funnel, version][step], entered=t.entered, passed=t.in_time
            )
            for (funnel, version, step), t in sorted(total.items())
            if step in judged.get((funnel, version), ())
        ]
        return MinuteMetrics(
            site=minute[0],
            source_partition=self._number,
            minute=from_ms(minute[1]),
            frontier=from_ms(frontier),
            version=frontier,
            ripe_after_s=rules.ripe_after_s,
            steps=steps,
            sessions=sessions.entered,
            error_sessions=sessions.in_time,
        )
