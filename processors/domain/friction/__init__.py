"""Friction rules: one file each, one pure function each; the table below is what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from processors.domain.fact import Fact
from processors.domain.friction import (
    coupon_denied,
    dead_click,
    error_click,
    excessive_scroll,
    forced_registration,
    form_abandonment,
    form_retry,
    help_sought,
    layout_shift,
    page_loop,
    payment_failed,
    quick_back,
    rage_click,
    repeated_field_error,
    search_without_result,
    slow_interaction,
    slow_page,
    slow_step,
    stuck_login,
    surprise_cost,
    thrashed_cursor,
)
from processors.domain.friction.element import is_ignored
from processors.domain.friction.signal import Find, Signal
from schemas.rules import FrictionRule

FINDERS: Final[dict[str, Find]] = {
    "rage_click": rage_click.find,
    "dead_click": dead_click.find,
    "error_click": error_click.find,
    "thrashed_cursor": thrashed_cursor.find,
    "quick_back": quick_back.find,
    "page_loop": page_loop.find,
    "form_retry": form_retry.find,
    "repeated_field_error": repeated_field_error.find,
    "form_abandonment": form_abandonment.find,
    "slow_page": slow_page.find,
    "slow_interaction": slow_interaction.find,
    "layout_shift": layout_shift.find,
    "slow_step": slow_step.find,
    "coupon_denied": coupon_denied.find,
    "surprise_cost": surprise_cost.find,
    "forced_registration": forced_registration.find,
    "payment_failed_soft": payment_failed.find_soft,
    "payment_failed_hard": payment_failed.find_hard,
    "help_sought": help_sought.find,
    "search_without_result": search_without_result.find,
    "stuck_login": stuck_login.find,
    "excessive_scroll": excessive_scroll.find,
}


_KNOWN_SETS: Final = 10_000  # sets of event types a session may have; clients name types, so there is no end of them

_Chosen = tuple[tuple[Find, FrictionRule], ...]


class Finders:
    """The rules that run, and which of them a session's types call for."""

    def __init__(self, rules: Mapping[str, FrictionRule]) -> None:
        self._rules: _Chosen = tuple((find, rules[rule_id]) for rule_id, find in FINDERS.items() if rule_id in rules)
        self._ignored = tuple({entry for _, rule in self._rules for entry in rule.ignore})
        self._known: dict[frozenset[str], _Chosen] = {}

    def find(self, facts: Sequence[Fact]) -> list[Signal]:
        """The signals in one session's `facts` (in event order), by time."""
        chosen = self._chosen(frozenset([fact.type for fact in facts]))
        if not chosen:
            return []
        suspects = [e for e in {fact.element for fact in facts} if e and is_ignored(e, self._ignored)]
        found: list[Signal] = []
        for find, rule in chosen:
            found += find(_looked_at(facts, suspects, rule.ignore) if suspects else facts, rule.thresholds)
        if len(found) > 1:
            found.sort(key=lambda signal: (signal.at.order, signal.signal))
        return found

    def _chosen(self, types: frozenset[str]) -> _Chosen:
        chosen = self._known.get(types)
        if chosen is None:
            chosen = tuple(pair for pair in self._rules if not pair[1].triggers.isdisjoint(types))
            if len(self._known) >= _KNOWN_SETS:
                self._known.clear()
            self._known[types] = chosen
        return chosen


def _looked_at(facts: Sequence[Fact], suspects: Sequence[str], ignore: tuple[str, ...]) -> Sequence[Fact]:
    ignored = {element for element in suspects if is_ignored(element, ignore)} if ignore else None
    return [fact for fact in facts if fact.element not in ignored] if ignored else facts


def count_signals(signals: Sequence[Signal]) -> dict[str, int]:
    """How often each signal occurred."""
    counts: dict[str, int] = {}
    for signal in signals:
        counts[signal.signal] = counts.get(signal.signal, 0) + 1
    return counts
