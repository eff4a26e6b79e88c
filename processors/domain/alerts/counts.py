"""Counts of one minute as the tests read them: trials and successes per series, from snapshots of source partitions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from schemas.alert_rule import MetricName
from schemas.event import to_ms
from schemas.rows import MinuteMetrics


class Series(NamedTuple):
    """What a rate is of: a funnel's step by its number, 1 for the first; or a site's sessions ("", 0)."""

    funnel: str
    step: int

    @property
    def metric(self) -> MetricName:
        """The metric whose trials these are."""
        return "step_conversion" if self.funnel else "error_session_rate"


SESSIONS = Series("", 0)


class Count(msgspec.Struct, array_like=True, gc=False):
    """Trials of one series in one minute and how many of them succeeded (passed the step, ran into an error)."""

    funnel: str
    step: int
    name: str
    trials: int
    successes: int


class Report(msgspec.Struct, array_like=True):
    """The newest snapshot of a minute from one source partition; times in Unix ms."""

    version: int
    frontier: int
    ripe_after: int
    counts: list[Count]


def report_of(metrics: MinuteMetrics) -> Report:
    """What is kept of a snapshot. A success without a trial (a foreign producer's mistake) is not counted."""
    counts = [Count(s.funnel, s.step + 1, s.name, s.entered, min(s.passed, s.entered)) for s in metrics.steps]
    counts.append(Count(*SESSIONS, "", metrics.sessions, min(metrics.error_sessions, metrics.sessions)))
    return Report(
        version=metrics.version,
        frontier=to_ms(metrics.frontier),
        ripe_after=int(metrics.ripe_after_s * 1000),
        counts=[count for count in counts if count.trials > 0],
    )


def merge(reports: Iterable[Report]) -> dict[Series, Count]:
    """The sums over source partitions (no visitor is in two), ordered by series."""
    total: dict[Series, Count] = {}
    for count in (count for report in reports for count in report.counts):
        series = Series(count.funnel, count.step)
        before = total.get(series)
        if before is None:
            total[series] = msgspec.structs.replace(count)
        else:
            before.trials += count.trials
            before.successes += count.successes
            before.name = max(before.name, count.name)  # two names only while a renamed funnel rolls out
    return dict(sorted(total.items()))
