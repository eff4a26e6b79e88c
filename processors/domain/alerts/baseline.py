"""The usual level of a series: an exponentially weighted share of successes, learned from undisturbed minutes only.

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


class Baseline(msgspec.Struct, array_like=True):
    """Weighted trials and successes, those held back, and the minute (Unix min) that `trials` is weighted to."""

    trials: float = 0.0
    successes: float = 0.0
    held_trials: int = 0
    held_successes: int = 0
    minute: int = 0

    @property
    def level(self) -> float:
        """The usual level, strictly between 0 and 1: the mean of the posterior."""
        return (self.successes + _PRIOR) / (self.trials + 2 * _PRIOR)

    def hold(self, trials: int, successes: int) -> None:
        """Keep a minute's counts until it is known what they belong to."""
        self.held_trials += trials
        self.held_successes += successes

    def learn(self, minute: int, parameters: Parameters) -> None:
        """Take in what is held, forgetting older counts over the longer of memory_h and memory_trials.

        Forgetting by the clock alone would leave a quiet site without a level; by trials alone, a busy one with a
        level of minutes.
        """
        elapsed_h = max(minute - self.minute, 0) / 60 if self.trials else 0.0
        age = min(elapsed_h / parameters.memory_h, self.held_trials / parameters.memory_trials)
        kept = math.exp(-age)
        self.trials = self.trials * kept + self.held_trials
        self.successes = self.successes * kept + self.held_successes
        self.minute = minute
        self.drop()

    def drop(self) -> None:
        """Forget what is held."""
        self.held_trials = self.held_successes = 0
