"""The friction score: 0 to 100, capped weights from one table, with the points that each rule gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction.signal import Signal
from schemas.rules import SCORE_MAX, FrictionRule


@dataclass(frozen=True)
class Score:
    """`total` of a session, the `points` of each rule before the cap at 100, and the total of the `last_step` alone."""

    total: float = 0.0
    points: Mapping[str, float] = field(default_factory=dict)
    last_step: float = 0.0


_NONE: Final = Score()


def score(facts: Sequence[Fact], signals: Sequence[Signal], rules: Mapping[str, FrictionRule]) -> Score:
    """The score of the session with these `facts` (in event order) and `signals`.

    The last step begins with the last page view: what went wrong there is what the visitor left with (Dynatrace lets a
    frustrating last action decide on the whole session; here it stands apart).
    """
    if not signals:
        return _NONE
    begins = max((fact.order for fact in facts if fact.type == "page_view"), default=facts[0].order)
    given = points([signal.signal for signal in signals], rules)
    at_last = points([signal.signal for signal in signals if signal.at.order >= begins], rules)
    return Score(_capped(given), given, _capped(at_last))


def points(names: Sequence[str], rules: Mapping[str, FrictionRule]) -> dict[str, float]:
    """Points by rule: weight times occurrences, at most `cap` of them, so that one loop cannot win."""
    return {name: float(rules[name].weight * min(names.count(name), rules[name].cap)) for name in dict.fromkeys(names)}


def _capped(given: Mapping[str, float]) -> float:
    return min(sum(given.values()), SCORE_MAX)
