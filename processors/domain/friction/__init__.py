"""Friction rules: one file each, one pure function each; the table below is what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction import error_click, quick_back, rage_click
from processors.domain.friction.signal import Find, Signal
from schemas.rules import SCORE_MAX, FrictionRule

FINDERS: Final[dict[str, Find]] = {
    "rage_click": rage_click.find,
    "error_click": error_click.find,
    "quick_back": quick_back.find,
}


def find_signals(facts: Sequence[Fact], rules: Mapping[str, FrictionRule]) -> list[Signal]:
    """The signals in one session's `facts` (in event order), by time."""
    found = [signal for rule_id, find in FINDERS.items() for signal in find(facts, rules[rule_id].thresholds)]
    found.sort(key=lambda signal: (signal.at.order, signal.signal))
    return found


def count_signals(signals: Sequence[Signal]) -> dict[str, int]:
    """How often each signal occurred: the parts of the score."""
    counts: dict[str, int] = {}
    for signal in signals:
        counts[signal.signal] = counts.get(signal.signal, 0) + 1
    return counts


def score(counts: Mapping[str, int], rules: Mapping[str, FrictionRule]) -> float:
    """Friction score of a session, 0 to 100: weight times occurrences, each signal capped (one loop must not win)."""
    total = sum(rules[name].weight * min(n, rules[name].cap) for name, n in counts.items())
    return min(total, SCORE_MAX)
