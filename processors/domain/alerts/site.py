"""The alerts of one site: snapshots of minutes in, changes of alert state out. Pure; time comes in as receipt times.

A minute is judged once, in order, when it is ripe: every source partition that reported it has seen everything up to
its end plus the ripening time, and the site's newest frontier is `_SETTLE_MS` beyond that (time for other partitions
to report at all); or `LAGGARD_MS` beyond that, whoever is still missing. So any order of arrival within those bounds
gives the same alerts. What comes for a judged minute is ignored.

A minute first heard of later than that (a backlog, an import of the last hours) is ripe with its first report, while
other partitions have theirs still to tell: in a backlog they are minutes or hours apart. It waits until every partition
heard of is `_SETTLE_MS` beyond the last report that has changed it, but no longer than `LAGGARD_MS`.

A minute first heard of after a later one was judged (history told to a site that runs) is not judged any more. But
while the usual level is not known yet, it is learned from, as every minute is until then.

A minute more than `_STALE_MS` behind the newest frontier is dropped unread, from the baseline too: an import of
history or a long backlog says nothing about now, and last year's level is not the usual one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from processors.domain.alerts.counts import Count, Report, merge, report_of
from processors.domain.alerts.watch import Watch, fingerprint, judge, lapse, learn
from schemas.alert_rule import AlertRule
from schemas.event import to_ms
from schemas.rows import AlertRow, MinuteMetrics

_MINUTE_MS: Final = 60_000
_SETTLE_MS: Final = 10_000  # ticks come every second, snapshots of one minute within a few of each other
LAGGARD_MS: Final = 60_000  # a stuck partition must not hold the site's alerts for longer than a minute
_STALE_MS: Final = 2 * 3_600_000  # the live workers keep cohorts that long; an older alert helps nobody
_AHEAD_MS: Final = 3_600_000  # a minute from a clock running further ahead is reported again when it is ripe


class SiteAlerts(msgspec.Struct):
    """State of one site; restored by `load`, kept by `dump`.

    Bounded: at most three hours of unjudged minutes per source partition, and one watch per rule and funnel step.
    `newest` is the newest frontier (Unix ms), `judged` the last judged minute (Unix min), `ripe_after` its ripening
    time (ms); `watches` are by fingerprint. `heard` is the frontier at which an unjudged minute was first heard of, and
    that at which its counts last changed. `frontiers` is how far each source partition is known to have come. `done`
    are the minutes of the last two hours that were judged or learned from.
    """

    site: str
    pending: dict[int, dict[int, Report]] = {}
    newest: int = 0
    judged: int = 0
    ripe_after: int = 0
    watches: dict[str, Watch] = {}
    heard: dict[int, tuple[int, int]] = {}
    frontiers: dict[int, int] = {}
    done: set[int] = set()

    def dump(self) -> bytes:
        """The state as bytes for a table."""
        return _encoder.encode(self)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(SiteAlerts)


def load(blob: bytes) -> SiteAlerts:
    """The state that `dump` gave. Raises msgspec.DecodeError when the bytes are none."""
    return _decoder.decode(blob)


def observe(state: SiteAlerts, metrics: MinuteMetrics, rules: Sequence[AlertRule]) -> list[AlertRow]:
    """Take in one snapshot; the changes of alert state that follow, in order.

    Repeats, older versions, minutes already judged and stale ones change nothing beyond the site's frontier.
    Raises ValueError when the snapshot is another site's.
    """
    if metrics.site != state.site:
        raise ValueError(f"metrics of site {metrics.site!r} given to the alerts of {state.site!r}: key them by site")
    start = to_ms(metrics.minute)
    minute = start // _MINUTE_MS
    report = report_of(metrics)
    state.newest = max(state.newest, report.frontier)
    hear(state, {metrics.source_partition: report.frontier})
    if minute not in state.done and -_STALE_MS <= start - state.newest <= _AHEAD_MS:
        reports = state.pending.setdefault(minute, {})
        known = reports.get(metrics.source_partition)
        if known is None or report.version > known.version:
            reports[metrics.source_partition] = report
            if known is None or report.counts != known.counts:
                state.heard[minute] = (state.heard.get(minute, (state.newest, 0))[0], state.newest)
    return _judge_ripe(state, rules)


def hear(state: SiteAlerts, frontiers: Mapping[int, int]) -> None:
    """Take in how far source partitions have come (Unix ms), whether or not they have the site's visitors."""
    for partition, frontier in frontiers.items():
        state.frontiers[partition] = max(frontier, state.frontiers.get(partition, 0))


def advance(state: SiteAlerts, now: datetime, rules: Sequence[AlertRule]) -> list[AlertRow]:
    """Tell a site without traffic how far all partitions have come: its last minutes ripen, alerts lapse."""
    state.newest = max(state.newest, to_ms(now))
    hear(state, dict.fromkeys(state.frontiers, to_ms(now)))
    return _judge_ripe(state, rules)


def _judge_ripe(state: SiteAlerts, rules: Sequence[AlertRule]) -> list[AlertRow]:
    for minute in [minute for minute in state.pending if minute <= state.judged and _ripe(state, minute)]:
        _learn(state, minute, _take(state, minute), rules)
    changes: list[AlertRow] = []
    waiting = sorted(minute for minute in state.pending if minute > state.judged)
    for minute in waiting:
        if not _ripe(state, minute):
            break
        reports = _take(state, minute)
        state.judged = minute
        if minute * _MINUTE_MS < state.newest - _STALE_MS:
            continue
        state.ripe_after = max(report.ripe_after for report in reports.values())
        changes += _lapse(state, minute, rules)
        changes += _judge(state, minute, reports, rules)
    settled = (state.newest - state.ripe_after - _SETTLE_MS - LAGGARD_MS) // _MINUTE_MS
    undecided = min((minute for minute in state.pending if minute > state.judged), default=settled)
    return changes + _lapse(state, min(settled, undecided), rules)


def _take(state: SiteAlerts, minute: int) -> dict[int, Report]:
    oldest = (state.newest - _STALE_MS) // _MINUTE_MS
    state.done = {done for done in state.done if done >= oldest} | {minute}
    state.heard.pop(minute, None)
    return state.pending.pop(minute)


def _ripe(state: SiteAlerts, minute: int) -> bool:
    reports, newest = state.pending[minute], state.newest
    ripe_at = (minute + 1) * _MINUTE_MS + max(report.ripe_after for report in reports.values())
    if newest < ripe_at + _SETTLE_MS:
        return False
    first, changed = state.heard.get(minute, (0, 0))
    if first > ripe_at + _SETTLE_MS:
        slowest = min(state.frontiers.values(), default=newest)
        return slowest >= changed + _SETTLE_MS or newest >= first + LAGGARD_MS + _SETTLE_MS
    complete = all(report.frontier >= ripe_at for report in reports.values())
    return complete or newest >= ripe_at + _SETTLE_MS + LAGGARD_MS


def _learn(state: SiteAlerts, minute: int, reports: dict[int, Report], rules: Sequence[AlertRule]) -> None:
    if minute * _MINUTE_MS < state.newest - _STALE_MS:
        return
    for rule, name, count in _series(state, reports, rules):
        learn(state.watches.setdefault(name, Watch(rule.id, rule.version)), rule, count, minute)


def _series(
    state: SiteAlerts, reports: dict[int, Report], rules: Sequence[AlertRule]
) -> Iterator[tuple[AlertRule, str, Count]]:
    """What each rule has to look at in a minute: the rule, the watch's fingerprint, the counts."""
    counts = merge(reports.values())
    for rule in rules:
        for series, count in counts.items():
            if series.metric == rule.metric:
                yield rule, fingerprint(rule.id, state.site, *series), count


def _judge(state: SiteAlerts, minute: int, reports: dict[int, Report], rules: Sequence[AlertRule]) -> list[AlertRow]:
    decided = (minute + 1) * _MINUTE_MS + state.ripe_after
    changes: list[AlertRow] = []
    for rule, name, count in _series(state, reports, rules):
        watch = state.watches.setdefault(name, Watch(rule.id, rule.version))
        if watch.rule_version != rule.version:
            watch.reset(rule.version)
        change = judge(watch, rule, count, site=state.site, minute=minute, decided=decided)
        if change is not None:
            changes.append(change)
    return changes


def _lapse(state: SiteAlerts, until: int, rules: Sequence[AlertRule]) -> list[AlertRow]:
    """What time alone says by minute `until` (Unix min): alerts end for want of trials or of their rule, or go on."""
    by_id = {rule.id: rule for rule in rules}
    lapsed = [
        change
        for watch in state.watches.values()
        if (change := lapse(watch, by_id.get(watch.rule), until, state.ripe_after)) is not None
    ]
    return sorted(lapsed, key=lambda change: (change.updated_at, change.fingerprint))
