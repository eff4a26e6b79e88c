"""The usual level of a series at an hour of the day, learned from undisturbed minutes only.

Two memories add up: the recent level (an exponentially weighted share of successes, a day or so) and how far each hour
of the day usually lies from it (the same hour of about the last fourteen days). Measured with conversion swinging by
0.06 over the day at 2 trials a minute: 4.1 false alerts a week on the recent level alone (`bench.alerts`).

An hour's offset is drawn towards zero while few trials speak for it, and between two hours the level moves in a
straight line: an hour boundary is no event.

While the CUSUM is above zero, minutes are held back: they join when it falls to zero again (it was chance), and are
dropped when the alarm goes off (they are what went wrong). Learning from quiet minutes alone instead would pick the
good ones and put the level too high; learning from all would let a slow fall hide itself.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from schemas.alert_rule import Parameters

_PRIOR: Final = 1.0
"""Beta(1, 1): a level of exactly 0 or 1 is never believed, and a thousand trials outweigh it a thousand to two."""

_EDGE: Final = 0.005
"""Levels stay this far from 0 and 1, whatever an hour's offset says."""

_HOURS: Final = 24
_MINUTES_PER_HOUR: Final = 60
_MINUTES_PER_DAY: Final = 1440


class Hour(msgspec.Struct, array_like=True, gc=False):
    """Weighted trials of one hour of the day, their successes beyond the level of the day, and the day (Unix days)."""

    trials: float = 0.0
    excess: float = 0.0
    day: int = 0


class Baseline(msgspec.Struct, array_like=True):
    """Weighted trials and successes of the recent level, and the minute (Unix min) that they are weighted to.

    `successes` is counted as if every hour were an average one. `held` are trials and successes by hour of the day that
    wait; `hours` the hours' offsets, 24 or, before the first trial, none. Bounded: 24 entries each.
    """

    trials: float = 0.0
    successes: float = 0.0
    minute: int = 0
    held: dict[int, tuple[int, int]] = {}
    hours: list[Hour] = []

    @property
    def level(self) -> float:
        """The recent level of an average hour, strictly between 0 and 1: the mean of the posterior."""
        return (self.successes + _PRIOR) / (self.trials + 2 * _PRIOR)

    def level_at(self, minute: int, parameters: Parameters) -> float:
        """The usual level at `minute` (Unix min), strictly between 0 and 1."""
        if not self.hours:
            return self.level
        at = (minute % _MINUTES_PER_DAY) / _MINUTES_PER_HOUR - 0.5  # an hour's offset is that of its middle
        before, share = math.floor(at), at - math.floor(at)
        mean = self._mean_excess()
        offset = (1 - share) * self._offset(before, mean, parameters) + share * self._offset(
            before + 1, mean, parameters
        )
        return min(max(self.level + offset, _EDGE), 1 - _EDGE)

    def _offset(self, hour: int, mean: float, parameters: Parameters) -> float:
        known = self.hours[hour % _HOURS]
        return (known.excess - known.trials * mean) / (known.trials + parameters.season_prior_trials)

    def _mean_excess(self) -> float:
        """What all hours share is no matter of the hour: without it, level and offsets could drift apart."""
        trials = sum(hour.trials for hour in self.hours)
        return sum(hour.excess for hour in self.hours) / trials if trials else 0.0

    def hold(self, minute: int, trials: int, successes: int) -> None:
        """Keep a minute's counts until it is known what they belong to."""
        hour = minute // _MINUTES_PER_HOUR % _HOURS
        before = self.held.get(hour, (0, 0))
        self.held[hour] = (before[0] + trials, before[1] + successes)

    def learn(self, minute: int, parameters: Parameters) -> None:
        """Take in what is held, forgetting older counts over the longer of memory_h and memory_trials.

        Forgetting by the clock alone would leave a quiet site without a level; by trials alone, a busy one with a
        level of minutes. The hours forget over season_days.
        """
        if not self.hours:
            self.hours = [Hour() for _ in range(_HOURS)]
        fresh = sum(trials for trials, _ in self.held.values())
        elapsed_h = max(minute - self.minute, 0) / _MINUTES_PER_HOUR if self.trials else 0.0
        kept = math.exp(-min(elapsed_h / parameters.memory_h, fresh / parameters.memory_trials))
        self.trials, self.successes, self.minute = self.trials * kept, self.successes * kept, minute
        mean = self._mean_excess()
        for hour, (trials, successes) in self.held.items():
            self.trials += trials
            self.successes += successes - trials * self._offset(hour, mean, parameters)
        self._learn_hours(minute // _MINUTES_PER_DAY, parameters)
        self.drop()

    def _learn_hours(self, day: int, parameters: Parameters) -> None:
        if self.trials < parameters.warmup_trials:
            return  # the level that the hours are measured against is not known yet
        level = self.level
        for hour, (trials, successes) in self.held.items():
            known = self.hours[hour]
            kept = math.exp(-max(day - known.day, 0) / parameters.season_days) if known.trials else 0.0
            known.trials = known.trials * kept + trials
            known.excess = known.excess * kept + successes - trials * level
            known.day = day

    def drop(self) -> None:
        """Forget what is held."""
        self.held = {}

    def settle_at(self, trials: float, successes: float, minute: int) -> None:
        """Take another recent level: what was observed for long is the usual. The hours' offsets stay."""
        self.trials, self.successes, self.minute = trials, successes, minute
        self.drop()
