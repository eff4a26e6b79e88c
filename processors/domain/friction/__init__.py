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


def find_signals(facts: Sequence[Fact], rules: Mapping[str, FrictionRule]) -> list[Signal]:
    """The signals in one session's `facts` (in event order), by time."""
    types = {fact.type for fact in facts}
    elements = {fact.element for fact in facts}
    found: list[Signal] = []
    for rule_id, find in FINDERS.items():
        rule = rules[rule_id]
        if rule.triggers.isdisjoint(types):
            continue
        found += find(_looked_at(facts, elements, rule.ignore), rule.thresholds)
    found.sort(key=lambda signal: (signal.at.order, signal.signal))
    return found


def _looked_at(facts: Sequence[Fact], elements: set[str], ignore: tuple[str, ...]) -> Sequence[Fact]:
    ignored = {element for element in elements if is_ignored(element, ignore)} if ignore else None
    return [fact for fact in facts if fact.element not in ignored] if ignored else facts


def count_signals(signals: Sequence[Signal]) -> dict[str, int]:
    """How often each signal occurred."""
    counts: dict[str, int] = {}
    for signal in signals:
        counts[signal.signal] = counts.get(signal.signal, 0) + 1
    return counts
