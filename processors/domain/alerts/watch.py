"""One rule watching one series: its baseline, its test, and the alert that fires and resolves.

Quiet: the CUSUM walks up on evidence for the shifted level; at `h` the alert fires. Firing: a second CUSUM walks up on
evidence for the usual level against half the shift; at `h_resolve` the alert is resolved. Both start at zero after a
change, so a change of state always takes its whole threshold in fresh evidence; and a level that has come only half
of the way back counts against the way back. That is what keeps an alert from flapping.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from processors.domain.alerts import cusum, text
from processors.domain.alerts.baseline import Baseline
from processors.domain.alerts.counts import Count
from schemas.alert_rule import AlertRule, Direction, TestName
from schemas.event import from_ms, to_ms
from schemas.rows import AlertRow

Evidence = Callable[[int, int, float, float, Direction], float]
"""(trials, successes, level, shift, direction) -> log likelihood ratio: what a test statistic's file provides."""

EVIDENCE: Final[dict[TestName, Evidence]] = {"bernoulli_cusum": cusum.evidence}

_MINUTE_MS: Final = 60_000
_MINUTES_PER_HOUR: Final = 60

_HALFWAY: Final = 0.5
"""Measured at 10 trials a minute, half a shift off for half of each day: 8 alerts a week, 8 to 14 against all of it."""


class Walk(msgspec.Struct, array_like=True):
    """A CUSUM above zero: its value, the minute (Unix min) since which, and the trials and successes since then."""

    value: float = 0.0
    since: int = 0
    trials: int = 0
    successes: int = 0

    def add(self, minute: int, count: Count, increment: float) -> None:
        """One more minute; back at zero the walk starts afresh."""
        if not self.trials:
            self.since = minute
        self.value = cusum.advance(self.value, increment)
        self.count(count)
        if self.value == 0.0:
            self.trials = self.successes = 0

    def count(self, count: Count) -> None:
        """Count a minute's trials without judging them."""
        self.trials += count.trials
        self.successes += count.successes

    @property
    def rate(self) -> float:
        """Share of successes, 0 without trials."""
        return self.successes / self.trials if self.trials else 0.0


class Watch(msgspec.Struct, array_like=True):
    """State of one (rule, series). `alert` is its last change; `last` the minute (Unix min) of the newest trials."""

    rule: str
    rule_version: int
    baseline: Baseline = msgspec.field(default_factory=Baseline)
    walk: Walk = msgspec.field(default_factory=Walk)
    recovery: Walk = msgspec.field(default_factory=Walk)
    last: int = 0
    alert: AlertRow | None = None

    @property
    def firing(self) -> AlertRow | None:
        """The alert, while it fires."""
        return self.alert if self.alert is not None and self.alert.status == "firing" else None

    def reset(self, version: int) -> None:
        """Start over under another version of the rule; the last alert stays, so that `seq` goes on."""
        self.rule_version = version
        self.baseline, self.walk, self.recovery = Baseline(), Walk(), Walk()


def fingerprint(rule: str, site: str, funnel: str, step: int) -> str:
    """Sixteen hex digits that name an alert through all its changes."""
    identity = "\x1f".join((rule, site, funnel, str(step)))  # a separator that no name contains
    return hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()


def judge(watch: Watch, rule: AlertRule, count: Count, *, site: str, minute: int, decided: int) -> AlertRow | None:
    """Take in one ripe minute (Unix min) of the series; the alert if its state changed. `decided` is Unix ms."""
    watch.last = minute
    parameters, evidence = rule.parameters, EVIDENCE[rule.test]
    level = watch.baseline.level_at(minute, parameters)
    firing = watch.firing
    if firing is not None:
        against = evidence(count.trials, count.successes, level, parameters.shift * _HALFWAY, rule.direction)
        watch.walk.count(count)
        watch.recovery.add(minute, count, -against)
        return _judge_recovery(watch, rule, firing, minute, decided)
    watch.baseline.hold(minute, count.trials, count.successes)
    if watch.baseline.trials < parameters.warmup_trials:
        watch.baseline.learn(minute, parameters)
        return None
    increment = evidence(count.trials, count.successes, level, parameters.shift, rule.direction)
    watch.walk.add(minute, count, increment)
    if watch.walk.value == 0.0:
        watch.baseline.learn(minute, parameters)
    if watch.walk.value < parameters.h or watch.walk.trials < parameters.min_trials:
        return None
    watch.baseline.drop()
    watch.recovery = Walk()
    return _fire(watch, rule, site, count, decided=decided, level=level)


def learn(watch: Watch, rule: AlertRule, count: Count, minute: int) -> None:
    """Take in a minute (Unix min) that comes too late to be judged, if the usual level is still being learned."""
    baseline = watch.baseline
    if watch.firing is None and watch.rule_version == rule.version and baseline.trials < rule.parameters.warmup_trials:
        newest = max(minute, baseline.minute)
        baseline.hold(minute, count.trials, count.successes)
        baseline.learn(newest, rule.parameters)


def _judge_recovery(watch: Watch, rule: AlertRule, firing: AlertRow, minute: int, decided: int) -> AlertRow | None:
    parameters = rule.parameters
    back, stood = watch.recovery, watch.walk
    if back.value >= parameters.h_resolve and back.trials >= parameters.min_trials:
        return _resolve(
            watch, firing, "recovered", ended=back.since * _MINUTE_MS, decided=decided, threshold=parameters.h_resolve
        )
    if minute - stood.since < parameters.accept_after_h * _MINUTES_PER_HOUR:
        return None
    # The counts of the whole alert, weighing no more than a full memory: the level that now is the usual one.
    weight = min(1.0, parameters.memory_trials / stood.trials)
    watch.baseline.settle_at(stood.trials * weight, stood.successes * weight, minute)
    end = (minute + 1) * _MINUTE_MS
    return _resolve(watch, firing, "accepted", ended=end, decided=decided, threshold=parameters.h_resolve)


def lapse(watch: Watch, rule: AlertRule | None, until: int, ripe_after: int) -> AlertRow | None:
    """What time alone says about a firing alert by minute `until` (Unix min): that it is over, or that it still fires.

    Resolved without trials for `silence_h`, or without its rule; said again every `remind_h` under the same number,
    with the figures of now, for subscribers that came later or forget. `ripe_after` is in ms. What is said depends on
    the trials and the minutes only, not on when it was noticed.
    """
    firing = watch.firing
    if firing is None:
        return None
    if rule is None or rule.version != watch.rule_version:
        end = max(until, watch.last + 1) * _MINUTE_MS
        return _resolve(watch, firing, "rule_changed", ended=end, decided=end + ripe_after, threshold=None)
    ended = watch.last + 1
    deadline = ended + int(rule.parameters.silence_h * _MINUTES_PER_HOUR)
    if until < deadline:
        return _remind(watch, rule, firing, until, ripe_after)
    decided = deadline * _MINUTE_MS + ripe_after
    threshold = rule.parameters.h_resolve
    return _resolve(watch, firing, "silent", ended=ended * _MINUTE_MS, decided=decided, threshold=threshold)


def _remind(watch: Watch, rule: AlertRule, firing: AlertRow, until: int, ripe_after: int) -> AlertRow | None:
    every = int(rule.parameters.remind_h * _MINUTES_PER_HOUR)
    begun = (to_ms(firing.starts_at)) // _MINUTE_MS
    said = (to_ms(firing.updated_at) - ripe_after) // _MINUTE_MS
    due = begun + (until - begun) // every * every  # the newest of the hours that should have been said
    if due <= said:
        return None
    stood = watch.walk
    alert = msgspec.structs.replace(
        firing, updated_at=from_ms(due * _MINUTE_MS + ripe_after), observed=stood.rate, n=stood.trials
    )
    watch.alert = _worded(alert, text.firing_summary(alert), alert.starts_at)
    return watch.alert


def _resolve(
    watch: Watch, firing: AlertRow, reason: text.Reason, *, ended: int, decided: int, threshold: float | None
) -> AlertRow:
    """End the firing alert at `ended` (Unix ms), decided at `decided` (Unix ms).

    Statistic and threshold are those of the way back; those of the firing stay when its rule is gone (None).
    """
    observed = watch.recovery if reason == "recovered" else watch.walk
    alert = msgspec.structs.replace(
        firing,
        seq=firing.seq + 1,
        status="resolved",
        ends_at=from_ms(ended),
        updated_at=from_ms(decided),
        observed=observed.rate,
        statistic=firing.statistic if threshold is None else watch.recovery.value,
        threshold=firing.threshold if threshold is None else threshold,
        n=observed.trials,
    )
    watch.alert = _worded(alert, text.resolved_summary(alert, reason), from_ms(observed.since * _MINUTE_MS))
    watch.walk, watch.recovery = Walk(), Walk()
    return watch.alert


def _fire(watch: Watch, rule: AlertRule, site: str, count: Count, *, decided: int, level: float) -> AlertRow:
    walk = watch.walk
    alert = AlertRow(
        fingerprint=fingerprint(rule.id, site, count.funnel, count.step),
        seq=watch.alert.seq + 1 if watch.alert is not None else 1,
        status="firing",
        severity=rule.severity,
        site=site,
        rule=rule.id,
        rule_version=rule.version,
        test=rule.test,
        funnel=count.funnel,
        step=count.step,
        step_name=count.name,
        starts_at=from_ms(walk.since * _MINUTE_MS),
        fired_at=from_ms(decided),
        updated_at=from_ms(decided),
        observed=walk.rate,
        baseline=level,
        statistic=walk.value,
        threshold=rule.parameters.h,
        n=walk.trials,
        expected_false_alerts_per_week=rule.expected_false_alerts_per_week,
        summary="",
        description="",
        query="",
    )
    watch.alert = _worded(alert, text.firing_summary(alert), alert.starts_at)
    return watch.alert


def _worded(alert: AlertRow, summary: str, since: datetime) -> AlertRow:
    description = text.description(alert, since)
    return msgspec.structs.replace(alert, summary=summary, description=description, query=text.query(alert))
