"""A seeded site with a known truth, minute by minute, through the real alert code."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Final

import msgspec

from processors.domain.alerts.site import SiteAlerts, observe
from schemas.alert_rule import AlertRule
from schemas.event import from_ms
from schemas.rows import AlertRow, MinuteMetrics, StepCount

EPOCH_MIN: Final = 29_000_000  # any minute will do: 2025-02-20
RIPE_AFTER_S: Final = 120.0
MINUTES_PER_WEEK: Final = 7 * 24 * 60

Level = Callable[[int], float]
"""Minute since the start -> probability of a success."""


class Run(msgspec.Struct):
    """One series followed minute by minute; `alerts` are all changes so far."""

    rule: AlertRule
    per_minute: float
    random: random.Random
    state: SiteAlerts = msgspec.field(default_factory=lambda: SiteAlerts("shop"))
    minute: int = 0
    alerts: list[AlertRow] = []

    def go(self, minutes: int, level: Level) -> list[AlertRow]:
        """Advance by `minutes`; the changes of alert state in them."""
        before = len(self.alerts)
        for _ in range(minutes):
            trials = poisson(self.random, self.per_minute)
            p = level(self.minute)
            successes = sum(self.random.random() < p for _ in range(trials))
            if trials:
                self.alerts += observe(self.state, self._metrics(trials, successes), (self.rule,))
            self.minute += 1
        return self.alerts[before:]

    def _metrics(self, trials: int, successes: int) -> MinuteMetrics:
        # Seen at once in full: the delays printed are the test's own, without the ripening time.
        start = from_ms((EPOCH_MIN + self.minute) * 60_000)
        ripe = start + timedelta(minutes=1, seconds=RIPE_AFTER_S + 10)
        is_step = self.rule.metric == "step_conversion"
        return MinuteMetrics(
            site="shop",
            source_partition=0,
            minute=start,
            frontier=ripe,
            version=1,
            ripe_after_s=RIPE_AFTER_S,
            steps=[StepCount(funnel="checkout", step=3, name="payment", entered=trials, passed=successes)]
            if is_step
            else [],
            sessions=0 if is_step else trials,
            error_sessions=0 if is_step else successes,
        )


def poisson(random_: random.Random, mean: float) -> int:
    """A Poisson count: arrivals of rate `mean` in one unit of time."""
    count, at = 0, random_.expovariate(mean)
    while at < 1.0:
        count += 1
        at += random_.expovariate(mean)
    return count


def changed(said: Sequence[AlertRow]) -> list[AlertRow]:
    """Of what one series said, the changes: reminders have the number of the change before them."""
    return [next(group) for _, group in groupby(said, key=lambda alert: alert.seq)]


def minute_of(alert: AlertRow) -> int:
    """The last minute that the change was decided on, counted from the start of its run."""
    decided = alert.updated_at - timedelta(seconds=RIPE_AFTER_S)
    return int(decided.timestamp()) // 60 - 1 - EPOCH_MIN
