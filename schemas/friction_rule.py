"""What a friction rule is, and how settings change one."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import msgspec

Override = Mapping[str, float | tuple[str, ...]]
"""Threshold values by name; `ignore` is a list of selectors."""

_IGNORE = "ignore"


class RuleError(ValueError):
    """A rule setting that names no rule or threshold; the text says which are known."""


class FrictionRule(msgspec.Struct, frozen=True, kw_only=True):
    """One friction rule. `weight` points per occurrence, at most `cap` occurrences count in a session's score.

    `about` says what it finds, `excludes` what it leaves out on purpose. `triggers`: without an event of one of these
    types it finds nothing. `reads`: the properties it looks at, by event type; facts keep no others. `ignore`:
    selectors of elements it does not look at (see processors/domain/friction/element.py).
    """

    id: str
    version: int
    about: str
    triggers: frozenset[str]
    thresholds: dict[str, float]
    weight: float
    cap: int
    source: str
    excludes: str = ""
    reads: Mapping[str, tuple[str, ...]] = {}
    ignore: tuple[str, ...] = ()


def override(rules: Mapping[str, FrictionRule], overrides: Mapping[str, Override]) -> dict[str, FrictionRule]:
    """`rules` with thresholds and ignore lists replaced by `overrides` ({rule id: {name: value}}). Raises RuleError."""
    changed = dict(rules)
    for rule_id, values in overrides.items():
        rule = changed.get(rule_id)
        if rule is None:
            raise RuleError(f"friction rule {rule_id!r} is unknown. Known rules: {', '.join(sorted(changed))}.")
        thresholds, ignore = dict(rule.thresholds), rule.ignore
        for name, value in values.items():
            if name == _IGNORE and not isinstance(value, int | float):
                ignore = tuple(value)
            elif name in thresholds and isinstance(value, int | float) and isfinite(value):
                thresholds[name] = value
            else:
                known = ", ".join(sorted(thresholds)) or "none"
                raise RuleError(
                    f"rule {rule_id!r} has no threshold {name!r} with such a value. Its thresholds, each a number: "
                    f"{known}; and `ignore`, a list of selectors."
                )
        changed[rule_id] = msgspec.structs.replace(rule, thresholds=thresholds, ignore=ignore)
    return changed
