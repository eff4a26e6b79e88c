"""Bernoulli CUSUM on grouped counts: is the evidence for a shifted level, summed since it began, beyond a threshold?

Page's CUSUM (1954) of log likelihood ratios, the shifted level against the usual one. Trials come grouped by minute,
in no order inside it, so the floor at 0 is applied once per minute, after its whole sum. The trial-by-trial walk
floors at least as often and so never lies lower: grouping can delay an alarm within a minute, and adds none.
"""

from __future__ import annotations

import math
from typing import Final

from schemas.alert_rule import Direction

_LEVEL_MIN: Final = 0.01
"""Levels are kept within [0.01, 0.99]: beyond, a handful of trials would decide by themselves."""

_ROOM: Final = 3.0
"""A level with less room than the shift moves to a third of what is left instead of below 0 or above 1."""


def shifted(level: float, shift: float, direction: Direction) -> float:
    """The level (0 to 1) that the test looks for: `level` moved by `shift`, or by two thirds of the room left."""
    if direction == "down":
        return max(level - shift, level / _ROOM)
    return min(level + shift, 1 - (1 - level) / _ROOM)


def evidence(trials: int, successes: int, level: float, shift: float, direction: Direction) -> float:
    """Log likelihood ratio (nats) of `successes` in `trials` under the shifted level against `level`: exact, any n."""
    p0 = min(max(level, _LEVEL_MIN), 1 - _LEVEL_MIN)
    p1 = shifted(p0, shift, direction)
    return successes * math.log(p1 / p0) + (trials - successes) * math.log((1 - p1) / (1 - p0))


def advance(statistic: float, increment: float) -> float:
    """The CUSUM after one more group: never below 0."""
    return max(0.0, statistic + increment)
